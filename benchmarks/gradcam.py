"""Grad-CAM: ours beside MMAction2's and beside the plain forward pass, in one run.

    python benchmarks/gradcam.py [--rounds 9] [--device cpu] [--out results.md]

The three are run in turn, round by round, so that a machine that slows down slows them all; the
ratios are medians over rounds. The maps of both are compared on every network.
"""

import argparse
import copy
import platform
import resource
import statistics
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
I3D = 'mmaction::recognition/i3d/i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb.py'
# Name: config, changes to its backbone, input. I3D 8x8 keeps its 8 frames through the stem;
# MMAction2's own config, made for 32 frames, halves them twice.
NETWORKS = {
    'I3D-R50 8x8, 8x224x224': (
        I3D,
        dict(conv1_stride_t=1, pool1_stride_t=1),
        (1, 3, 8, 224, 224),
    ),
    "I3D-R50 of MMAction2's config, 8x224x224": (I3D, {}, (1, 3, 8, 224, 224)),
    'CNN-LSTM (ResNet-18) 30x120x120': (
        ROOT / 'configs/kth/cnnlstm_r18_1xb8-30x1x1-30e_kth-rgb.py',
        {},
        (30, 3, 120, 120),
    ),
    'CNN-LSTM (ResNet-50) 30x120x120': (
        ROOT / 'configs/kth/cnnlstm_r50_1xb8-30x1x1-30e_kth-rgb.py',
        {},
        (30, 3, 120, 120),
    ),
}
LAYER = 'backbone/layer4'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=9, help='timed rounds (default: 9)')
    parser.add_argument('--device', default='cpu', help='cpu (default) or cuda:N')
    parser.add_argument('--out', help='write the table to this Markdown file too')
    return parser.parse_args()


def build(config, changes: dict, device: str):
    """The config's recognizer with random weights, and with moving statistics as after training."""
    import torch
    from mmaction.registry import MODELS
    from mmengine.config import Config

    if isinstance(config, str) and '::' in config:
        from mmengine.hub import get_config

        settings = get_config(config).model
    else:
        settings = Config.fromfile(config).model
    for key in ('pretrained', 'pretrained2d'):
        if key in settings.backbone:
            settings.backbone[key] = None if key == 'pretrained' else False
    settings.backbone.update(changes)
    torch.manual_seed(0)
    return MODELS.build(settings).to(device).eval()


def timed(call, device) -> tuple[float, object]:
    import torch

    if device != 'cpu':
        torch.cuda.synchronize()
    started = time.perf_counter()
    result = call()
    if device != 'cpu':
        torch.cuda.synchronize()
    return time.perf_counter() - started, result


def measure(config, changes: dict, shape: tuple, rounds: int, device: str) -> dict:
    """Seconds of each and the largest difference of the maps."""
    import torch
    from mmaction.structures import ActionDataSample
    from mmaction.utils import GradCAM as UpstreamGradCAM

    from mmsal.attribution import GradCAM

    model = build(config, changes, device)
    inputs = torch.randint(0, 256, shape, dtype=torch.uint8)
    sample = ActionDataSample()
    sample.set_gt_label(0)
    data = dict(inputs=[inputs], data_samples=[sample])
    theirs = UpstreamGradCAM(copy.deepcopy(model), LAYER)
    ours = GradCAM(model, LAYER)

    def forward():
        with torch.no_grad():
            return model.test_step(data)

    calls = {
        'forward': forward,
        'mmaction2': lambda: theirs._calculate_localization_map(data, False)[0],
        'mmsal': lambda: ours.heatmaps(data)[0],
    }
    seconds = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            spent, result = timed(call, device)
            if number:  # the first round warms up
                seconds[name].append(spent)
            if name == 'mmaction2':
                expected = result
            elif name == 'mmsal':
                difference = float((result.flatten() - expected.flatten()).abs().max())
    per_round = list(zip(seconds['forward'], seconds['mmaction2'], seconds['mmsal'], strict=True))
    return {
        **{name: statistics.median(values) for name, values in seconds.items()},
        'faster': statistics.median(upstream / own for _, upstream, own in per_round),
        'of_forward': statistics.median(own / plain for plain, _, own in per_round),
        'difference': difference,
    }


def report(args: argparse.Namespace) -> str:
    import torch

    machine = torch.cuda.get_device_name() if args.device != 'cpu' else platform.machine()
    lines = [
        f'{machine}, {torch.get_num_threads()} threads, Python {platform.python_version()}, '
        f'torch {torch.__version__}; median of {args.rounds} rounds.',
        '',
        '| network | forward | MMAction2 | mmsal | MMAction2 / mmsal | mmsal / forward '
        '| maps differ |',
        '|---|---|---|---|---|---|---|',
    ]
    for name, network in NETWORKS.items():
        found = measure(*network, args.rounds, args.device)
        lines.append(
            f'| {name} | {found["forward"]:.3f} s | {found["mmaction2"]:.3f} s '
            f'| {found["mmsal"]:.3f} s | {found["faster"]:.2f} | {found["of_forward"]:.2f} '
            f'| {found["difference"]:.1e} |'
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return '\n'.join([*lines, '', f'Peak memory of the whole run: {peak:.2f} GiB.'])


def main() -> None:
    args = parse_args()
    import mmsal  # noqa: F401
    from mmaction.utils import register_all_modules  # isort: skip

    register_all_modules()
    warnings.filterwarnings('ignore', message='Using a non-full backward hook')
    text = report(args)
    print(text)
    if args.out:
        Path(args.out).write_text(f'# Grad-CAM\n\n`python benchmarks/gradcam.py`\n\n{text}\n')


if __name__ == '__main__':
    main()
