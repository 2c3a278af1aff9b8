"""Heatmaps of models against human gaze: scores, statistics and a report.

python saliency_metrics_comparison/compare.py --heatmaps DIR [DIR ...] --fixations FILE --out DIR
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))

from command_line import FAILED_SOME, Parser, hush_others, run

METRICS = 'AUC, AUC-Judd, AUC-Borji, sAUC, NSS, IG, CC, SIM, KLD, EMD'


def parse_args() -> argparse.Namespace:
    parser = Parser(
        description='Score the heatmaps of one or several models against where people looked, '
        'beside chance, centre bias, gaze of other videos, motion and the human ceiling. Writes '
        'results.csv, summary.csv, pairs.csv, tables/ and report/index.html.',
        epilog='Exit codes: 0 done, 2 bad usage or input, 3 some videos were left out or failed.',
    )
    add = parser.add_argument
    add('--heatmaps', required=True, nargs='+', metavar='[NAME=]DIR', help='folders of heatmaps as '
        'vis_cam.py writes them, one per model, checkpoint or method; NAME is what the results '
        "call it (default: the folder's own name)")  # fmt: skip
    add('--fixations', required=True, metavar='FILE', help='fixation table, CSV or Parquet: video, '
        'observer, start_s, end_s, x_px, y_px; tools/data/gaze/read_fixations.py makes it from an '
        "eye tracker's files")  # fmt: skip
    add('--out', required=True, metavar='DIR', help='folder for the results; a second run goes on '
        'where the first stopped')  # fmt: skip
    add('--videos', metavar='DIR', help='folder of the video files: for optical flow as a '
        'yardstick, for the pictures of the report, and to check against')  # fmt: skip
    add('--partial', action='store_true', help='compare what matches and list the rest, instead of '
        'refusing all where a name, frame rate or size does not match')  # fmt: skip
    add('--fps', type=float, help='frames per second of heatmaps without a sidecar')
    add('--sigma', metavar='X', help='standard deviation of the human density: 20px (pixels of the '
        'video) or 1deg (default: a thirty-second of the width)')  # fmt: skip
    add('--pixels-per-degree', type=float, metavar='P', help='pixels of the video per degree of '
        'visual angle, for a sigma in degrees')  # fmt: skip
    add('--metrics', nargs='+', metavar='M', help=f'of {METRICS} (default: all)')
    add('--conventions', nargs='+', metavar='C', help='mit, tuebingen (default: both)')
    add('--window', type=float, metavar='S', help='also score windows of so many seconds')
    add('--frame-step', type=int, default=1, metavar='K', help='score every Kth frame that has a '
        'map (default: 1)')  # fmt: skip
    add('--sampled-only', action='store_true', help='leave out frames that the model did not see, '
        'whose maps vis_cam.py filled in')  # fmt: skip
    add('--no-motion', action='store_true', help='no optical flow, which costs time')
    add('--bootstrap', default='videos', choices=('videos', 'videos+observers'), help='what is '
        'drawn anew for the intervals (default: videos)')  # fmt: skip
    add('--correction', default='holm', choices=('holm', 'benjamini-hochberg'), help='of p for '
        'many tests (default: holm)')  # fmt: skip
    add('--resamples', type=int, default=2000, metavar='N', help='of the bootstrap (default: 2000)')
    add('--seed', type=int, default=0, help='of all that is random (default: 0)')
    add(
        '--workers',
        type=int,
        metavar='N',
        help='processes (default: one per four videos, at most one per core)',
    )
    add('--pages', type=int, metavar='N', help='videos with a page of their own in the report, at '
        'most (default: all)')  # fmt: skip
    add('--synthetic', action='store_true', help='mark the report: its data are SYNTHETIC')
    add('--overwrite', action='store_true', help='score again what a former run has scored, with '
        'whatever settings')  # fmt: skip
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    # Imported after the arguments are read, so that --help answers at once.
    from mmsal.comparison.gaze import GazeComparison, Statistics, parse_models, parse_sigma
    from mmsal.comparison.gaze.progress import run_study
    from mmsal.metrics import CONVENTIONS

    hush_others()
    how = GazeComparison(
        sigma=parse_sigma(args.sigma, args.pixels_per_degree),
        metrics=tuple(args.metrics) if args.metrics else None,
        conventions=tuple(args.conventions or CONVENTIONS), window_s=args.window,
        frame_step=args.frame_step, sampled_only=args.sampled_only, motion=not args.no_motion,
        seed=args.seed,
    )  # fmt: skip
    statistics = Statistics(
        args.resamples, over=tuple(one.rstrip('s') for one in args.bootstrap.split('+')),
        correction=args.correction,
    )  # fmt: skip
    left_out, lines = run_study(
        parse_models(args.heatmaps), args.fixations, Path(args.out), how, statistics,
        videos=args.videos, fps=args.fps, partial=args.partial, workers=args.workers,
        pages=args.pages, synthetic=args.synthetic, overwrite=args.overwrite,
    )  # fmt: skip
    print('\n'.join(lines))
    for reason in left_out:
        print(f'left out: {reason}', file=sys.stderr)
    return FAILED_SOME if left_out else 0


if __name__ == '__main__':
    run(main)
