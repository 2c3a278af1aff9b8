"""Convert a Kinetics-400 checkpoint of PyTorchVideo's model zoo to MMAction2's names.

python tools/convert/pytorchvideo_to_mmaction.py I3D_8x8_R50.pyth i3d_r50.pth --model i3d_r50

The configs of CNN_finetunings take PyTorchVideo's files as they are; converting is for other
programs that read MMAction2's checkpoints.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from command_line import Parser, run


def parse_args() -> argparse.Namespace:
    parser = Parser(
        description='Convert a Kinetics-400 checkpoint of PyTorchVideo to the names of MMAction2. '
        'Every weight is accounted for; a checkpoint of another network is refused and named. '
        'Exit code 2: bad usage or input.'
    )
    parser.add_argument('checkpoint', metavar='CHECKPOINT.pyth', help="PyTorchVideo's file")
    parser.add_argument('out', metavar='OUT.pth', help='the file to write')
    parser.add_argument(
        '--model', required=True, choices=('i3d_r50', 'x3d_l', 'slowfast_r101'),
        help='the network that it must be: I3D_8x8_R50.pyth, X3D_L.pyth or '
        'SLOWFAST_16x8_R101_50_50.pyth',
    )  # fmt: skip
    parser.add_argument('--overwrite', action='store_true', help='replace OUT.pth if it exists')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    out = Path(args.out)
    if out.exists() and not args.overwrite:
        raise ValueError(f'{out} exists: --overwrite replaces it')
    # Imported after the arguments are read, so that --help answers at once.
    import torch

    import mmsal  # noqa: F401  first: it repairs what is imported next
    from mmsal.compat import load_local_checkpoint
    from mmsal.heatmaps.atomic import atomic_files
    from mmsal.models.pytorchvideo import ConversionError, convert_state_dict, weights_of

    weights = weights_of(load_local_checkpoint(args.checkpoint))
    if weights is None:
        raise ConversionError(f'{args.checkpoint} is no checkpoint of PyTorchVideo')
    try:
        network, converted = convert_state_dict(weights, args.model)
    except ConversionError as error:
        raise ConversionError(f'{args.checkpoint}: {error}') from error
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_files(out) as (partial,):
        torch.save({'state_dict': converted, 'meta': {'pytorchvideo': network}}, partial)
    print(f'{out}: {len(converted)} weights of {network}')


if __name__ == '__main__':
    run(main)
