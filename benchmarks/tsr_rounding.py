"""How far rounding alone takes single patches in temporal saliency rescaling.

    python benchmarks/tsr_rounding.py [--frames 30] [--every 2] [--checkpoint trained.pth]

A unit that is nearly 0 may be open in float32 and shut in float64. So for every patch of some
frames the gradient of that frame, of one fixed mixture of its features, is taken three times: by
the network in float64, by the network as it is (what a direct loop does) and by the quick way. What
the patch changes, sum |R(X) - R(X')| over the frame, is held against that in float64, in units of
the range over the frame's patches. The clip is that of benchmarks/tsr.py, a SYNTHETIC walker.
"""

import argparse
import copy

import torch
from torch import Tensor
from tsr import PATCH, network_and_clip

SHARES = (1e-3, 3e-4)


def changes(gradients: Tensor) -> Tensor:
    """Of all frames from the first, which has nothing hidden: [1 + P, C H W] -> float64 [P]."""
    sizes = gradients.abs()
    return (sizes[1:] - sizes[:1]).abs_().sum(dim=1, dtype=torch.float64)


def by_autograd(model, frames: Tensor, mixture: Tensor) -> Tensor:
    """Gradients of single frames, [N, C, H, W] -> [N, C H W]."""
    found = []
    for frame in frames.split(1):
        leaf = frame.clone().requires_grad_(True)
        features = model.extract_frame_features(leaf[None])[0]
        found.append(torch.autograd.grad(features, leaf, mixture[None])[0].flatten(1))
    return torch.cat(found)


def by_quick_way(cnn, frame: Tensor, frames: Tensor, hidden, mixture: Tensor) -> Tensor:
    """The same of frames [N, C, H, W] that are a frame [1, C, H, W] with something hidden each."""
    passed, found = cnn.passed(frame), []
    for start in range(0, len(frames), cnn.batch):
        some = slice(start, start + cnn.batch)
        trace = cnn.trace_around(passed, frames[some], hidden[some])
        found.append(trace.back(mixture.expand(len(frames[some]), -1)))
    return torch.cat(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--frames', type=int, default=30, help='of the clip (default: 30)')
    parser.add_argument('--every', type=int, default=2, help='frame is looked at (default: 2)')
    parser.add_argument('--checkpoint', help='trained weights (default: random ones)')
    args = parser.parse_args()
    import mmsal  # noqa: F401
    from mmaction.utils import register_all_modules  # isort: skip

    from mmsal.attribution.tsr.frame_cnn import FrameCNN
    from mmsal.attribution.tsr.hiding import Hiding, fill_in

    register_all_modules()
    args.device = 'cpu'
    model, clip = network_and_clip('r18', args.frames, args)
    model.eval()
    exact = copy.deepcopy(model).double()
    hiding = Hiding(clip, fill_in(clip, 'first'), PATCH)
    cnn = FrameCNN(model, clip[0], 2**30, 1 + len(hiding.patches(0)))
    mixture = torch.randn(300, generator=torch.Generator().manual_seed(0))
    errors = {'network as it is': [], 'quick way': []}
    for number in range(0, args.frames, args.every):
        hidden = [hiding.nothing(number), *hiding.patches(number)]
        frames = hiding.hide(hidden)
        right = changes(by_autograd(exact, frames.double(), mixture.double()))
        found = (
            by_autograd(model, frames, mixture),
            by_quick_way(cnn, clip[[number]], frames, hidden, mixture),
        )
        for name, gradients in zip(errors, found, strict=True):
            error = (changes(gradients) - right).abs() / (right.max() - right.min())
            errors[name].append(error)
    print(f'{len(errors["quick way"])} frames of {len(right)} patches; torch {torch.__version__}\n')
    print('| float32 | largest | ' + ' | '.join(f'above {s:g}' for s in SHARES) + ' | median |')
    print('|' + '---|' * (3 + len(SHARES)))
    for name, some in errors.items():
        error = torch.stack(some)
        counts = ' | '.join(str(int((error > share).sum())) for share in SHARES)
        print(f'| {name} | {error.max():.1e} | {counts} | {error.median():.1e} |')


if __name__ == '__main__':
    main()
