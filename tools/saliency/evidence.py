"""Attributions against known truth, on SYNTHETIC clips; deletion and insertion curves.

python tools/saliency/evidence.py CONFIG CHECKPOINT CLIPS_DIR --out-dir DIR
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from command_line import FAILED_SOME, Parser, hush_others, run

METHODS = ('gradcam', 'input_gradient', 'smoothgrad', 'integrated_gradients')


def parse_args() -> argparse.Namespace:
    parser = Parser(
        description='On synthetic clips the evidence is known: what share of the saliency of each '
        'method falls on the legs and on the body, against their area; and how the score falls and '
        'rises with the pixels that a method ranks first. See docs/evidence.md.',
        epilog='Writes evidence.csv, frames.csv, deletion.csv, predictions.csv, summary.csv, '
        'summary.md and curves.png. A second run goes on where the first stopped, and takes in '
        'further methods and clips. Exit codes: 0 done, 2 bad usage or input, 3 some clips failed.',
    )
    add = parser.add_argument
    add('config', help='config of the recognizer')
    add('checkpoint', help='its checkpoint')
    add('clips', metavar='CLIPS_DIR', help='folder that tools/data/synthetic/make_clips.py made')
    add('--out-dir', required=True, metavar='DIR', help='folder for the results')
    add('--methods', nargs='+', default=METHODS, metavar='M', help='see docs/methods.md (default: '
        f'{" ".join(METHODS)}; the others take longer or are less usual)')  # fmt: skip
    add('--subset', default='test', choices=('train', 'val', 'test', 'all'), help="of KTH's split "
        'by person (default: test)')  # fmt: skip
    add('--limit', type=int, metavar='N', help='at most N clips, evenly spaced over the list '
        '(default: all)')  # fmt: skip
    add('--dilation', nargs='+', type=int, default=(0, 8), metavar='PX', help='widen legs and body '
        "by so many pixels of the video; each gives a table (default: 0 8)")  # fmt: skip
    add('--orders', nargs='+', default=('pixels',), choices=('pixels', 'frames'), help='what '
        'deletion and insertion rank (default: pixels)')  # fmt: skip
    add('--steps', type=int, default=20, metavar='N', help='of the curves of pixels (default: 20)')
    add('--start', default='blur', choices=('blur', 'mean'), help='what insertion starts from: the '
        'blurred clip (default) or the mean colour')  # fmt: skip
    add('--seed', type=int, default=0, help='of random orders and intervals (default: 0)')
    add('--device', default='auto', help='auto, cpu or cuda:N (default: auto)')
    add('--overwrite', action='store_true', help='measure again what a former run has measured')
    add('--cfg-options', nargs='+', metavar='KEY=VALUE', help='override settings of the config')
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    # Imported after the arguments are read, so that --help answers at once.
    from config_options import parse_options

    from mmsal.comparison.evidence.clips import list_known_clips
    from mmsal.comparison.evidence.report import measure_and_report
    from mmsal.comparison.evidence.run import EvidenceOptions
    from mmsal.explain import load_recognizer

    hush_others()
    options = EvidenceOptions(
        tuple(dict.fromkeys(args.dilation)), tuple(dict.fromkeys(args.orders)), args.steps,
        args.start, args.seed,
    )  # fmt: skip
    clips = list_known_clips(args.clips, args.subset, args.limit)
    model = load_recognizer(
        args.config, args.checkpoint, args.device, parse_options(args.cfg_options)
    )
    failures = measure_and_report(
        model, clips, tuple(dict.fromkeys(args.methods)), options, args.out_dir, args.overwrite
    )
    return FAILED_SOME if failures else 0


if __name__ == '__main__':
    run(main)
