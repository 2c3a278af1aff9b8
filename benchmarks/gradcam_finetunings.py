"""Grad-CAM of CNN_finetunings' networks at full size: ours beside MMAction2's and the forward pass.

    python benchmarks/gradcam_finetunings.py [--rounds 3] [--device cpu] [--threads N]
        [--cases I3D X3D SlowFast] [--measure memory time] [--out results.md]

One clip of SYNTHETIC frames, of the crop that the Kinetics-400 configs test with and of the one the
networks were trained with; weights and statistics are random. The three calls are timed in turn,
round by round, and the ratios are medians over rounds. Peak memory is measured of each call in a
process of its own, where nothing else has run but the same call on a small clip.
"""

import argparse
import copy
import os
import platform
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from measuring import Measured, memory_of

ROOT = Path(__file__).resolve().parents[1]
SMALL = 96  # pixels; the side of the clips that warm up


@dataclass(frozen=True)
class Case:
    """A network, a clip and a layer.

    Attributes:
        network: For the table.
        config: Below CNN_finetunings/.
        layer: The target layer.
        frames: T of the clip.
        side: Its height and width, pixels.
    """

    network: str
    config: str
    layer: str
    frames: int
    side: int


I3D = ('I3D R50', 'i3d/i3d_r50_8x8x1_pytorchvideo-kinetics400-rgb.py')
X3D = ('X3D-L', 'x3d/x3d_l_16x5x1_pytorchvideo-kinetics400-rgb.py')
SLOWFAST = ('SlowFast R101', 'slowfast/slowfast_r101_16x8x1_pytorchvideo-kinetics400-rgb.py')
CASES = [
    Case(*I3D, 'backbone/layer4', 8, 256),
    Case(*I3D, 'backbone/layer4', 8, 224),
    Case(*X3D, 'backbone/conv5', 16, 356),
    Case(*X3D, 'backbone/conv5', 16, 312),
    Case(*SLOWFAST, 'backbone/slow_path/layer4', 64, 256),
    Case(*SLOWFAST, 'backbone/slow_path/layer4', 64, 224),
    Case(*SLOWFAST, 'backbone/fast_path/layer4', 64, 256),
]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=3, help='timed rounds (default: 3)')
    parser.add_argument('--device', default='cpu', help='cpu (default) or cuda:N')
    parser.add_argument('--threads', type=int, help="CPU threads (default: torch's)")
    parser.add_argument(
        '--cases',
        nargs='+',
        default=[''],
        help='beginnings of rows, such as X3D or "SlowFast R101, 64x256" (default: all)',
    )
    parser.add_argument(
        '--measure',
        nargs='+',
        choices=('memory', 'time'),
        default=('memory', 'time'),
        help='what (default: both)',
    )
    parser.add_argument('--out', help='write the table to this Markdown file too')
    return parser.parse_args()


def clip(case: Case, side: int) -> dict:
    """What a test pipeline gives: blobs that move, under noise."""
    import torch
    from mmaction.structures import ActionDataSample

    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(1, 3, 4, side // 16, side // 16, generator=generator)
    size = (case.frames, side, side)
    frames = torch.nn.functional.interpolate(coarse, size, mode='trilinear') * 200
    frames += 55 * torch.rand(frames.shape, generator=generator)
    return dict(inputs=[frames.to(torch.uint8)], data_samples=[ActionDataSample()])


def build(case: Case, device: str):
    """The config's recognizer, random in all that training would set.

    The statistics of batch norms are those of a clip, disturbed; without them the values would
    vanish or overflow on the way through a hundred layers. Class scores are of order one.
    """
    import torch
    from mmaction.registry import MODELS
    from mmaction.utils import register_all_modules
    from mmengine.config import Config

    register_all_modules()
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(ROOT / 'CNN_finetunings' / case.config).model)
    norms = [part for part in model.modules() if isinstance(part, torch.nn.BatchNorm3d)]
    for norm in norms:
        norm.momentum = 1.0
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.normal_(norm.bias, 0, 0.2)
    model.train()
    with torch.no_grad():
        model.test_step(clip(case, SMALL))
        for norm in norms:
            norm.momentum = 0.1
            norm.running_mean += 0.1 * norm.running_var.sqrt() * torch.randn(len(norm.weight))
            norm.running_var *= torch.empty(len(norm.weight)).uniform_(0.7, 1.4)
        model.eval()
        model.cls_head.average_clips = None  # scores, not probabilities
        scores = model.test_step(clip(case, SMALL))[0].pred_score
        classifier = getattr(model.cls_head, 'fc_cls', None) or model.cls_head.fc2
        classifier.weight /= scores.std()
        classifier.bias /= scores.std()
    return model.to(device)


def calls_of(case: Case, device: str) -> dict[str, Callable]:
    """The three calls, each from a clip to its result."""
    import torch
    from mmaction.utils import GradCAM as UpstreamGradCAM

    from mmsal.attribution import GradCAM

    warnings.filterwarnings('ignore', message='Using a non-full backward hook')
    model = build(case, device)
    # A copy of its own, for MMAction2's leaves its hooks in the model.
    theirs, ours = UpstreamGradCAM(copy.deepcopy(model), case.layer), GradCAM(model, case.layer)

    def forward(data: dict):
        with torch.no_grad():
            return model.test_step(data)[0].pred_score

    def upstream(data: dict):
        try:
            return theirs._calculate_localization_map(data, False)[0]
        finally:
            theirs.target_gradients = theirs.target_activations = None
            theirs.model.zero_grad()

    return {
        'forward': forward,
        'mmaction2': upstream,
        'mmsal': lambda data: ours.heatmaps(data)[0],
    }


def exact(case: Case, device: str):
    """The map in double precision, by which to judge both."""
    from mmsal.attribution import GradCAM

    with GradCAM(build(case, device).double(), case.layer) as cam:
        return cam.heatmaps(clip(case, case.side))[0]


def peak(case: Case, name: str, device: str) -> float:
    """MiB that one call takes; for a process of its own."""
    call = calls_of(case, device)[name]
    call(clip(case, SMALL))
    return memory_of(partial(call, clip(case, case.side)), device)[0]


def peaks(case: Case, device: str) -> dict[str, float]:
    """MiB of each call, each in a fresh process."""
    os.environ['MALLOC_MMAP_THRESHOLD_'] = '65536'  # what is freed is given back, see memory_of
    try:
        found = {}
        for name in ('forward', 'mmaction2', 'mmsal'):
            with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
                found[name] = pool.submit(peak, case, name, device).result()
        return found
    finally:
        del os.environ['MALLOC_MMAP_THRESHOLD_']


def layer_size(case: Case) -> float:
    """MiB of the target layer's output."""
    import torch

    from mmsal.attribution import find_layer

    model, sizes = build(case, 'meta'), []
    find_layer(model, case.layer).register_forward_hook(
        lambda module, inputs, output: sizes.append(output.nbytes / 2**20)
    )
    model.backbone(torch.empty(1, 3, case.frames, case.side, case.side, device='meta'))
    return sizes[0]


def times(case: Case, rounds: int, device: str) -> dict[str, Measured]:
    """Time of each call, and its result."""
    calls, data = calls_of(case, device), clip(case, case.side)
    for call in calls.values():
        call(clip(case, SMALL))
    found = {name: Measured() for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            found[name].add(partial(call, data), device)
    return found


TIMES_HEAD = (
    '| network, clip, layer | forward | MMAction2 | mmsal | MMAction2 / mmsal | of CPU seconds '
    '| mmsal / forward | maps differ | MMAction2 from exact | mmsal from exact |\n'
    '|---|---|---|---|---|---|---|---|---|---|'
)
PEAKS_HEAD = (
    '| network, clip, layer | forward | target layer | forward + layer | MMAction2 | mmsal '
    '| mmsal / (forward + layer) |\n|---|---|---|---|---|---|---|'
)


def title(case: Case) -> str:
    return f'{case.network}, {case.frames}x{case.side}x{case.side}, {case.layer[9:]}'


def times_row(case: Case, args: argparse.Namespace) -> str:
    found = times(case, args.rounds, args.device)
    forward, upstream, own = (found[name] for name in ('forward', 'mmaction2', 'mmsal'))
    if upstream.result.std() < 0.05:
        raise SystemExit(f'{title(case)}: the map is flat, so that comparing it proves nothing')
    truth = exact(case, args.device)
    theirs, ours = upstream.result, own.result
    pairs = ((theirs, ours), (theirs, truth), (ours, truth))
    apart = [f'{_apart(*pair):.0e}' for pair in pairs]
    return (
        f'| {title(case)} | {forward.median:.2f} s | {upstream.median:.2f} s | {own.median:.2f} s '
        f'| {own.ratio(upstream):.2f} | {own.cpu_ratio(upstream):.2f} '
        f'| {forward.ratio(own):.2f} | {" | ".join(apart)} |'
    )


def _apart(a, b) -> float:
    """Largest difference; the maps are in [0, 1]."""
    return float((a.flatten().double() - b.flatten().double()).abs().max())


def peaks_row(case: Case, device: str) -> str:
    found, layer = peaks(case, device), layer_size(case)
    limit = found['forward'] + layer
    sizes = (found['forward'], layer, limit, found['mmaction2'], found['mmsal'])
    listed = ' | '.join(f'{size:.0f} MiB' for size in sizes)
    return f'| {title(case)} | {listed} | {found["mmsal"] / limit:.2f} |'


def report(args: argparse.Namespace) -> str:
    import torch

    if args.threads:
        torch.set_num_threads(args.threads)
    machine = torch.cuda.get_device_name() if args.device != 'cpu' else platform.machine()
    lines = [
        f'{machine}, {torch.get_num_threads()} threads, Python {platform.python_version()}, '
        f'torch {torch.__version__}; medians of {args.rounds} rounds. Clips are SYNTHETIC, weights '
        'random.',
    ]
    cases = [case for case in CASES if title(case).startswith(tuple(args.cases))]
    tables = {
        'memory': (PEAKS_HEAD, partial(peaks_row, device=args.device)),
        'time': (TIMES_HEAD, partial(times_row, args=args)),
    }
    for name in args.measure:
        head, row = tables[name]
        lines += ['', head]
        for case in cases:
            lines.append(row(case))
            print(lines[-1], flush=True)
    return '\n'.join(lines)


def main() -> None:
    args = parse_args()
    text = report(args)
    print(f'\n{text}')
    if args.out:
        head = f'# Grad-CAM at full size\n\n`python {" ".join(sys.argv)}`'
        Path(args.out).write_text(f'{head}\n\n{text}\n')


if __name__ == '__main__':
    main()
