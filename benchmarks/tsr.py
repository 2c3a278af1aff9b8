"""Temporal saliency rescaling beside a direct loop over captum, in one run.

    python benchmarks/tsr.py [--networks r18 r101] [--frames 30 15 60] [--passes 40] [--whole]
        [--checkpoint trained.pth] [--profile] [--device cpu] [--out results.md]

The clip is a SYNTHETIC walker of 120x120 pixels, the CNN-LSTM that of configs/kth with random
weights unless trained ones are given, the patches 10x10. The direct loop takes the gradient of
every clip with something hidden by captum.attr.Saliency. All its passes cost the same, so that by
default only some of them, patches of three frames, are run, in turn with ours: half before and half
after. Their changes of the gradient must be ours. ``--whole`` runs all and compares the maps;
``--profile`` says instead where our time goes.
"""

import argparse
import platform
import time
import warnings
from pathlib import Path

import numpy as np
from measuring import memory_of

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = {
    'r18': ROOT / 'configs/kth/cnnlstm_r18_1xb8-30x1x1-30e_kth-rgb.py',
    'r101': ROOT / 'configs/kth/cnnlstm_r101_1xb8-30x1x1-30e_kth-rgb.py',
    'attention': ROOT / 'configs/kth/cnnlstm-attention_r18_1xb8-30x1x1-30e_kth-rgb.py',
}
SIZE = 120
PATCH = 10
PARTS = {  # functions whose time is asked for, with all that they call
    '_r_and_turns': 'changed frames: CNN and recurrent part',
    '_slopes': 'of that, recurrent part',
    '_products': 'products of basis vectors with Jacobians',
    '_distances': 'sums of changes over pixels',
    '_bases': 'bases',
    '_aim': 'of products and more, first direction of each basis',
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add('--networks', nargs='+', default=['r18'], choices=CONFIGS, help='(default: r18)')
    add('--frames', nargs='+', type=int, default=[30], help='lengths of the clip (default: 30)')
    add('--passes', type=int, default=40, help='of the direct loop that are run (default: 40)')
    add('--whole', action='store_true', help='run the whole direct loop and compare the maps')
    add('--profile', action='store_true', help='show where our time goes')
    add('--checkpoint', help='trained weights of the network (default: random ones)')
    add('--device', default='cpu', help='cpu (default) or cuda:N')
    add('--out', help='write the table to this Markdown file too')
    return parser.parse_args()


def walker(frames: int):
    """A SYNTHETIC clip, normalised as by ImageNet's mean and deviation: float32 [T, 3, H, W]."""
    import cv2
    import torch

    from mmsal.datasets.synthetic import ClipName, draw_clip, plan_clip

    drawn = draw_clip(plan_clip(ClipName(2, 'walking', 1)))
    seen = np.flatnonzero(drawn.body.any(axis=(1, 2)))[0]
    grey = np.stack([cv2.resize(f, (SIZE, SIZE)) for f in drawn.frames[seen : seen + frames]])
    clip = torch.from_numpy(grey).float().unsqueeze(1).expand(-1, 3, -1, -1).clone()
    mean, deviation = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
    return (clip - mean[:, None, None]) / deviation[:, None, None]


class DirectLoop:
    """The published procedure, one clip with something hidden after the other."""

    def __init__(self, model, clip, target: int) -> None:
        from captum.attr import Saliency

        def score(clips):
            features = model.extract_frame_features(clips)
            return model.classify_sequence(features)[:, target]

        self.saliency, self.clip = Saliency(score), clip
        self.reference = self._attribute(clip)

    def _attribute(self, clip):
        return self.saliency.attribute(clip.unsqueeze(0).requires_grad_(True))[0]

    def change(self, frame: int, patch: int | None) -> float:
        """Hide a frame, or one of its patches, and sum the changes of the gradient's size."""
        hidden = self.clip.clone()
        colour = self.clip[0, :, 0, 0]
        if patch is None:
            hidden[frame] = colour[:, None, None]
        else:
            row, column = (PATCH * place for place in divmod(patch, SIZE // PATCH))
            hidden[frame, :, row : row + PATCH, column : column + PATCH] = colour[:, None, None]
        return float((self._attribute(hidden) - self.reference).abs().double().sum())


def stretched(values):
    """To [0, 1] along the last axis."""
    low, high = values.min(-1, keepdims=True), values.max(-1, keepdims=True)
    return (values - low) / (high - low)


def seconds_of(call) -> tuple[float, object]:
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def profile(call) -> str:
    """Seconds of the parts of a call, most of them first."""
    import cProfile
    import pstats

    profiler = cProfile.Profile()
    took, _ = seconds_of(lambda: profiler.runcall(call))
    spent = {
        name: cumulative
        for (file, _, name), (_, _, _, cumulative, _) in pstats.Stats(profiler).stats.items()
        if name in PARTS and Path(file).parent.name == 'tsr'
    }
    lines = [f'{took:.1f} s in all']
    for name in sorted(spent, key=spent.get, reverse=True):
        lines.append(f'{spent[name]:6.1f} s {spent[name] / took:5.0%}  {PARTS[name]}')
    return '\n'.join(lines)


def network_and_clip(network: str, frames: int, args: argparse.Namespace):
    """A CNN-LSTM whose parameters ask for no gradient, and what it sees."""
    from gradcam import build

    model = build(CONFIGS[network], {}, args.device)
    if args.checkpoint:
        from mmengine.runner import load_checkpoint

        load_checkpoint(model, args.checkpoint, 'cpu', strict=True, logger='silent')
    model.cls_head.clip_len = frames
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model, walker(frames).to(args.device)


def measure(network: str, frames: int, args: argparse.Namespace) -> str:
    """A row of the table, or the profile."""
    from mmsal.attribution import temporal_saliency_rescaling

    model, clip = network_and_clip(network, frames, args)

    def ours():
        return temporal_saliency_rescaling(model, clip, target=1, patch_size=PATCH)

    temporal_saliency_rescaling(model, clip, target=1, patch_size=60)  # warms up
    if args.profile:
        return profile(ours)
    memory, _ = memory_of(ours, args.device)
    loop = DirectLoop(model, clip, 1)
    direct_memory, _ = memory_of(lambda: loop.change(0, None), args.device)
    result = ours()
    chosen = result.chosen.nonzero()[:, 0].tolist()
    parts = (SIZE // PATCH) ** 2
    hidden = [(t, None) for t in range(frames)] + [(t, p) for t in chosen for p in range(parts)]
    picked = hidden if args.whole else some_of(hidden, chosen, args.passes)
    half = len(picked) // 2
    before, first = seconds_of(lambda: [loop.change(*one) for one in picked[:half]])
    own, result = seconds_of(ours)
    after, second = seconds_of(lambda: [loop.change(*one) for one in picked[half:]])
    whole = (before + after) / len(picked) * len(hidden)
    changes = np.array(first + second)
    if args.whole:
        time_found = stretched(changes[:frames])
        found = stretched(changes[frames:].reshape(len(chosen), parts))
        right = np.full((frames, parts), 0.1)
        right[chosen] = found
        error = np.abs(time_found[:, None] * right - ours_by_patch(result)).max()
        note = f'maps differ by {error:.1e}'
    else:
        note = f'{len(picked)} of {len(hidden)} passes run, {agreement(picked, changes, result)}'
    return (
        f'| {network} | {frames} | {len(hidden)} | {whole:.0f} s | {own:.1f} s | {whole / own:.1f} '
        f'| {direct_memory:.0f} | {memory:.0f} | {note} |'
    )


def some_of(hidden, chosen, count: int):
    """Passes of up to three frames, so that patches of one frame can be compared."""
    frames = {chosen[i] for i in (0, len(chosen) // 2, -1)}
    patches = [(t, p) for t, p in hidden if t in frames and p is not None]
    return [patches[i] for i in np.linspace(0, len(patches) - 1, count).astype(int)]


def ours_by_patch(result):
    """Saliency of the patches, [T, P]."""
    return (result.time[:, None, None] * result.patches).flatten(1).double().cpu().numpy()


def agreement(picked, changes, result) -> str:
    """How well contributions fit the changes by a line, as stretching makes them one of these."""
    patches = result.patches.flatten(1).double().cpu().numpy()
    left = []
    for frame in sorted({t for t, p in picked if p is not None}):
        places = [i for i, (t, p) in enumerate(picked) if t == frame and p is not None]
        if len(places) > 2:
            theirs = changes[places]
            ours = patches[frame, [picked[i][1] for i in places]]
            fit = np.polyval(np.polyfit(theirs, ours, 1), theirs)
            left.append(np.abs(fit - ours).max())
    return f'contributions off a line by {max(left):.1e}' if left else 'too few to compare'


def main() -> None:
    args = parse_args()
    import mmsal  # noqa: F401
    from mmaction.utils import register_all_modules  # isort: skip

    import torch

    register_all_modules()
    warnings.filterwarnings('ignore', message='Setting forward')
    machine = torch.cuda.get_device_name() if args.device != 'cpu' else platform.machine()
    header = [
        f'{machine}, {torch.get_num_threads()} threads, Python {platform.python_version()}, '
        f'torch {torch.__version__}.',
        '',
        '| network | frames | passes | direct loop | mmsal | times faster | MiB, direct '
        '| MiB, mmsal | |',
        '|---|---|---|---|---|---|---|---|---|',
    ]
    lines = header[:2] if args.profile else header
    print('\n'.join(lines), flush=True)
    for network in args.networks:
        for frames in args.frames:
            lines.append(measure(network, frames, args))
            print(lines[-1], flush=True)
    if args.out:
        text = '\n'.join(lines)
        Path(args.out).write_text(f'# Temporal saliency rescaling\n\n{text}\n')


if __name__ == '__main__':
    main()
