"""What gaze in the loss costs: a training step with the gaze loss beside one with the class loss.

    python benchmarks/gaze_training.py [--networks i3d cnn_lstm] [--batch 2] [--rounds 5]
        [--threads 1] [--device cpu] [--out results.md]

I3D R50 is that of CNN_finetunings on 8 frames of 224x224; the CNN-LSTM is configs/kth's ResNet-18
on 30 frames of 120x120. A step is forward, backward and an update of the weights, on one model,
with the kinds of step in turn. Clips and gaze are SYNTHETIC noise and the weights random, which
changes nothing of the cost. The learning rate is 0, so that every step starts from the same
weights: the class loss of all kinds of step is checked to be the same.

Time: the median over rounds of the ratio of two steps of a round; on a CPU of processor time.
Memory: the largest growth of the process (CPU) or of torch's memory (GPU) in a step.
"""

import argparse
import copy
import os
import platform
import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Title, config, recognizer, shape of a sample, frames of it.
NETWORKS = {
    'i3d': (
        'I3D R50, 8x224x224',
        'CNN_finetunings/i3d/i3d_r50_pytorchvideo-pretrained_1xb8-8x8x1-20e_finetune-rgb.py',
        'GazeAlignedRecognizer3D', (1, 3, 8, 224, 224), 8,
    ),
    'cnn_lstm': (
        'CNN-LSTM of ResNet-18, 30x120x120',
        'configs/kth/cnnlstm_r18_1xb8-30x1x1-30e_kth-rgb.py',
        'CNNLSTMRecognizer', (30, 3, 120, 120), 30,
    ),
}  # fmt: skip
KINDS = {
    'class loss alone': None,
    'gaze loss, class activation': dict(type='GazeAlignmentLoss'),
    'the same, weights constant': dict(type='GazeAlignmentLoss', constant_weights=True),
    'gaze loss, attention': dict(type='GazeAlignmentLoss', target='attention'),
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--networks', nargs='+', choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument('--batch', type=int, default=2, help='clips of a step (default: 2)')
    parser.add_argument('--rounds', type=int, default=5, help='timed (default: 5)')
    parser.add_argument('--threads', type=int, default=1, help='of the CPU (default: 1)')
    parser.add_argument('--device', default='cpu', help='cpu (default) or cuda:N')
    parser.add_argument('--machine', default=platform.machine(), help='its name in the table')
    parser.add_argument('--out', help='write the table to this Markdown file too')
    return parser.parse_args()


def prepare(network: str, args: argparse.Namespace):
    """The model, an optimizer wrapper that moves nothing, and a batch."""
    import torch
    from mmaction.registry import MODELS
    from mmaction.structures import ActionDataSample
    from mmengine.config import Config
    from mmengine.optim import OptimWrapper

    _, path, kind, shape, frames = NETWORKS[network]
    config = Config.fromfile(ROOT / path)
    config.model.type = kind
    config.model.gaze_loss = dict(type='GazeAlignmentLoss')
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    model.to(args.device).train()
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9))
    clips = [torch.randint(0, 256, shape, dtype=torch.uint8) for _ in range(args.batch)]
    samples = []
    for number in range(args.batch):
        sample = ActionDataSample().set_gt_label(number % 2)
        density = torch.rand(frames, 7, 7).pow(8)
        sample.set_field(density / density.sum(dim=(1, 2), keepdim=True), 'gaze_maps')
        samples.append(sample)
    return model, wrapper, dict(inputs=clips, data_samples=samples)


def measure(network: str, args: argparse.Namespace) -> list[str]:
    """Rows of the table of one network."""
    import torch
    from mmaction.registry import MODELS

    from benchmarks.measuring import in_turn

    model, wrapper, data = prepare(network, args)

    def step(gaze_loss: dict | None):
        loss = None if gaze_loss is None else MODELS.build(gaze_loss)
        exact = loss is not None and loss.differentiates_twice

        def call() -> dict[str, float]:
            model.gaze_loss = loss
            if hasattr(model.cls_head, 'differentiable_twice'):
                model.cls_head.differentiable_twice = exact
            torch.manual_seed(0)  # for dropout
            return model.train_step(copy.deepcopy(data), wrapper)

        return call

    found = in_turn({name: step(loss) for name, loss in KINDS.items()}, args.rounds, args.device)
    plain = found['class loss alone']
    rows = []
    for name, one in found.items():
        difference = abs(float(one.result['loss_cls']) - float(plain.result['loss_cls']))
        assert difference <= 1e-5 * abs(float(plain.result['loss_cls'])), (name, difference)
        if args.device == 'cpu':
            ratio, seconds = 1 / one.cpu_ratio(plain), one.cpu_median
        else:
            ratio, seconds = 1 / one.ratio(plain), one.median
        rows.append(
            f'| {NETWORKS[network][0]} | {name} | {seconds:.3f} s | {ratio:.3f} '
            f'| {one.memory:.0f} MiB | {one.memory / plain.memory:.3f} |'
        )
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    args = parse_args()
    if args.device == 'cpu' and 'MALLOC_MMAP_THRESHOLD_' not in os.environ:
        # Read by the C library when a process starts; without it freed memory may not be seen.
        os.environ.update(MALLOC_MMAP_THRESHOLD_='65536', OMP_NUM_THREADS=str(args.threads))
        os.execv(sys.executable, [sys.executable, '-W', 'ignore', *sys.argv])
    sys.path.insert(0, str(ROOT))
    import torch
    from mmengine.logging import MMLogger
    from mmengine.registry import init_default_scope

    import mmsal  # noqa: F401  registers

    MMLogger.get_current_instance().setLevel('ERROR')
    init_default_scope('mmaction')
    torch.set_num_threads(args.threads)
    rows = [row for network in args.networks for row in measure(network, args)]
    on_gpu = args.device != 'cpu'
    where = torch.cuda.get_device_name() if on_gpu else args.machine
    clock = 'wall time' if on_gpu else f'processor time of {args.threads} thread(s)'
    text = '\n'.join(
        [
            f'{where}, Python {platform.python_version()}, torch {torch.__version__}; {clock}, '
            f'{args.rounds} rounds; batches of {args.batch} SYNTHETIC clips, random weights.',
            '',
            '| network | step | time | of class loss | memory | of class loss |',
            '|---|---|---|---|---|---|',
            *rows,
            '',
        ]
    )
    print(text)
    if args.out:
        command = shlex.join(['python', 'benchmarks/gaze_training.py', *sys.argv[1:]])
        Path(args.out).write_text(f'# Training with gaze in the loss\n\n`{command}`\n\n{text}')


if __name__ == '__main__':
    main()
