"""Every attribution method beside the public packages that have it, in one run.

    pip install --no-deps grad-cam==1.5.7 ttach && pip install scikit-learn cloudpickle
    python benchmarks/methods.py [--rounds 5] [--device cpu] [--out results.md]

The maps are compared where both mean the same. pytorch-grad-cam and captum know pictures: a 2-D
recognizer's frames are given to them as a batch of pictures with one score. (For 3-D networks they
average the weights over time as well, and so mean something else; MMAction2's GradCAM, which means
the same, is in benchmarks/gradcam.py.) EigenCAM is timed but not compared: theirs has a component
for each picture, of either sign, ours one for the clip. For the methods that captum computes for us
the comparison shows what our wrapping costs.
"""

import argparse
import copy
import platform
import sys
import types
import warnings
from pathlib import Path

from gradcam import I3D, build
from measuring import in_turn

TSN = 'mmaction::recognition/tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x8-100e_kinetics400-rgb.py'
LAYER = 'backbone/layer4'
THEIR_CAMS = {
    'gradcam': 'GradCAM',
    'gradcam++': 'GradCAMPlusPlus',
    'layercam': 'LayerCAM',
    'hirescam': 'HiResCAM',
    'eigencam': 'EigenCAM',
}
OTHER_MAPS = {'eigencam'}  # mean something else there; see above
OPTIONS = {
    'integrated_gradients': dict(steps=4),
    'smoothgrad': dict(samples=2),
    'occlusion': dict(window=(8, 112, 112), stride=(8, 112, 112)),
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=5, help='timed rounds (default: 5)')
    parser.add_argument('--device', default='cpu', help='cpu (default) or cuda:N')
    parser.add_argument('--out', help='write the tables to this Markdown file too')
    return parser.parse_args()


def stand_in_for_torchvision() -> None:
    """pytorch-grad-cam imports four names of torchvision that nothing here uses."""
    try:
        import torchvision  # noqa: F401
    except ImportError:
        names = {
            'torchvision': [],
            'torchvision.transforms': ['Compose', 'Normalize', 'ToTensor'],
            'torchvision.transforms.functional': ['resize'],
        }
        for name, contents in names.items():
            sys.modules[name] = types.ModuleType(name)
            for content in contents:
                setattr(sys.modules[name], content, None)
        sys.modules['torchvision'].transforms = sys.modules['torchvision.transforms']


def sample(shape: tuple[int, ...]) -> dict:
    import torch
    from mmaction.structures import ActionDataSample

    torch.manual_seed(0)
    inputs = torch.randint(0, 256, shape, dtype=torch.uint8)
    return dict(inputs=[inputs], data_samples=[ActionDataSample()])


def scores_of(model):
    """The model as these packages want it: preprocessed pictures [S, 3, H, W] -> scores [1, K]."""
    import torch
    from mmaction.structures import ActionDataSample

    class Scores(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, pictures):
            results = self.model(pictures[None], [ActionDataSample()], mode='predict')
            return torch.stack([result.pred_score.mean(dim=0) for result in results])

    model.cls_head.average_clips = None
    return Scores()


def by_frame(maps):
    """Each frame stretched to [0, 1], as pytorch-grad-cam does: [T, H, W]."""
    flat = maps.flatten(1)
    low, high = flat.min(dim=1)[0][:, None], flat.max(dim=1)[0][:, None]
    return ((flat - low) / (high - low + 1e-20)).view_as(maps)


def cam_calls(model, method: str, data: dict, target: int) -> dict:
    """Ours, and pytorch-grad-cam's where it is installed."""
    import torch

    from mmsal.attribution import GradCAM
    from mmsal.attribution.layers import find_layer

    ours = GradCAM(model, LAYER, method=method)
    calls = {'mmsal': lambda: by_frame(ours.localize(data, target)[0].raw[0])}
    try:
        stand_in_for_torchvision()
        import pytorch_grad_cam
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    except ImportError as error:
        print(f'without pytorch-grad-cam: {error}', file=sys.stderr)
        return calls
    theirs = scores_of(copy.deepcopy(model))
    cam = getattr(pytorch_grad_cam, THEIR_CAMS[method])(theirs, [find_layer(theirs.model, LAYER)])
    pictures = theirs.model.data_preprocessor(data)['inputs'][0]
    targets = [ClassifierOutputTarget(target)]
    calls['pytorch-grad-cam'] = lambda: torch.from_numpy(cam(pictures, targets))
    return calls


def captum_calls(model, method: str, data: dict, target: int) -> dict:
    """Ours, and captum used directly."""
    import captum.attr
    import torch

    from mmsal.attribution import open_explainer

    ours = open_explainer(model, method, **OPTIONS.get(method, {}))
    theirs = scores_of(copy.deepcopy(model))
    pictures = theirs.model.data_preprocessor(data)['inputs'][0]

    def forward(clips):  # [B, S, 3, H, W] -> [B, K]
        return torch.cat([theirs(clip) for clip in clips])

    direct = {
        'input_gradient': lambda: captum.attr.Saliency(forward)
        .attribute(pictures[None], target)[0].sum(dim=1),
        'integrated_gradients': lambda: captum.attr.IntegratedGradients(forward)
        .attribute(pictures[None], 0, target, n_steps=4, internal_batch_size=1)[0]
        .sum(dim=1).relu(),
        'occlusion': lambda: captum.attr.Occlusion(forward)
        .attribute(pictures[None], (8, 3, 112, 112), (8, 3, 112, 112), 0, target)[0][:, 0].relu(),
    }  # fmt: skip
    calls = {'mmsal': lambda: ours.localize(data, target)[0].raw[0]}
    if method in direct:
        calls['captum'] = lambda: direct[method]().detach()
    return calls


def table(title: str, found: dict[str, dict]) -> list[str]:
    lines = [
        f'### {title}',
        '',
        '| method | forward | mmsal | mmsal / forward | other | other / mmsal | memory: forward, '
        'mmsal, other | maps differ by |',
        '|---|---|---|---|---|---|---|---|',
    ]
    for method, measured in found.items():
        plain, ours = measured['forward'], measured['mmsal']
        cells = [method, f'{plain.median:.3f} s', f'{ours.median:.3f} s']
        cells.append(f'{plain.ratio(ours):.2f}')
        memory = f'{plain.memory:.0f}, {ours.memory:.0f}'
        others = [name for name in measured if name not in ('forward', 'mmsal')]
        for name in others:
            theirs = measured[name]
            scale = float(theirs.result.abs().max())
            assert scale > 0, f'{method}: a map of nothing proves nothing'
            apart = float((ours.result.cpu() - theirs.result.cpu()).abs().max()) / scale
            same = 'other maps' if method in OTHER_MAPS else f'{apart:.1e} of the largest value'
            cells += [f'{name} {theirs.median:.3f} s', f'{ours.ratio(theirs):.2f}']
            cells += [f'{memory}, {theirs.memory:.0f} MiB', same]
        if not others:
            cells += ['', '', f'{memory} MiB', '']
        lines.append(f'| {" | ".join(cells)} |')
    return [*lines, '']


def measure(config: str, changes: dict, shape: tuple, calls_of, methods, args) -> dict:
    import torch

    model = build(config, changes, args.device)
    torch.nn.init.normal_(model.cls_head.fc_cls.weight, std=0.1)
    data = sample(shape)

    def forward():
        with torch.no_grad():
            return model.test_step(data)[0].pred_score.argmax().item()

    target = forward()
    return {
        method: in_turn(
            {'forward': forward, **calls_of(model, method, data, target)}, args.rounds, args.device
        )
        for method in methods
    }


def main() -> None:
    args = parse_args()
    import mmsal  # noqa: F401
    from mmaction.utils import register_all_modules  # isort: skip

    register_all_modules()
    warnings.filterwarnings('ignore')
    import torch

    from mmsal.attribution import CAM_METHODS, INPUT_METHODS

    machine = torch.cuda.get_device_name() if args.device != 'cpu' else platform.machine()
    lines = [
        f'{machine}, {torch.get_num_threads()} threads, Python {platform.python_version()}, '
        f'torch {torch.__version__}; medians of {args.rounds} rounds.',
        '',
    ]
    clip, video = (8, 3, 224, 224), (1, 3, 8, 224, 224)
    strides = dict(conv1_stride_t=1, pool1_stride_t=1)
    ours = lambda *chosen: {'mmsal': cam_calls(*chosen)['mmsal']}  # noqa: E731
    tables = {
        'TSN-R50, 8 frames of 224x224': (TSN, {}, clip, cam_calls, CAM_METHODS),
        'I3D-R50 8x8, 8x224x224': (I3D, strides, video, ours, CAM_METHODS),
        f'TSN-R50, 8 frames of 224x224; options {OPTIONS}': (
            TSN, {}, clip, captum_calls, INPUT_METHODS,
        ),
    }  # fmt: skip
    print('\n'.join(lines))
    for title, case in tables.items():
        rows = table(title, measure(*case, args))
        print('\n'.join(rows), flush=True)
        lines += rows
        if args.out:  # after each table, for they take minutes
            text = '\n'.join(lines)
            Path(args.out).write_text(f'# Attribution methods\n\n`{" ".join(sys.argv)}`\n\n{text}')


if __name__ == '__main__':
    main()
