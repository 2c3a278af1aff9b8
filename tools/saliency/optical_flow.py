"""Optical flow of videos as heatmap files, and saliency held against it.

    python tools/saliency/optical_flow.py VIDEO|FRAMES_DIR|LIST.txt --out-dir DIR \\
        [--saliency HEATMAP_DIR [HEATMAP_DIR ...]]
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from command_line import FAILED_SOME, Parser, hush_others, run


def parse_args() -> argparse.Namespace:
    parser = Parser(
        description='Speed of every pixel between neighbouring frames (pixels per frame step), as '
        'heatmaps of one scale per video; with --saliency, how well the heatmaps of networks '
        'agree with it.',
        epilog='Exit codes: 0 done, 2 bad usage or input, 3 some videos of a list failed.',
    )
    add = parser.add_argument
    add('video', help='video file, folder of frames, or list of videos (.txt, one per line)')
    add('--out-dir', required=True, metavar='DIR', help='folder for the heatmap files, '
        'manifest.csv, and with --saliency results.csv, summary.csv and flow.png')  # fmt: skip
    add('--algorithm', default='farneback', choices=('farneback', 'dis'), help='Farneback '
        "(default; parameters of OpenCV's tutorial) or dense inverse search")  # fmt: skip
    add('--algorithm-options', nargs='+', metavar='KEY=VALUE', help='such as winsize=21 or '
        'preset=fast; see docs/optical_flow.md')  # fmt: skip
    add('--frames', metavar='A-B,C-D', help='only these ranges of frames, counted from 1, ends '
        'included; no pair of frames straddles two of them')  # fmt: skip
    add('--format', default='npz', choices=('npz', 'txt', 'txt.gz'), help='of the heatmap files '
        '(default: npz)')  # fmt: skip
    add('--saliency', nargs='+', metavar='HEATMAP_DIR', help='folders of heatmaps of the same '
        'videos, as vis_cam.py writes them, one per network or method')  # fmt: skip
    add('--centre-sigma', type=float, default=0.25, metavar='S', help='standard deviation of the '
        'centre bias, as a share of height and width (default: 0.25)')  # fmt: skip
    add('--chance-clips', type=int, default=20, metavar='N', help='chance is the mean over the '
        'flow of at most so many other clips (default: 20)')  # fmt: skip
    add('--seed', type=int, default=0, help='of the choice of these clips and of the bootstrap '
        '(default: 0)')  # fmt: skip
    add('--title', default='', help='line above flow.png')
    add('--filename-tmpl', default='img_{:05}.jpg', metavar='NAME', help='names of the frames in '
        'a folder (default: img_{:05}.jpg)')  # fmt: skip
    add('--start-index', type=int, default=1, metavar='N', help='number of the first of them '
        '(default: 1)')  # fmt: skip
    add('--source-fps', type=float, metavar='FPS', help='rate of the video that a folder of '
        'frames came from, for the timestamps')  # fmt: skip
    add('--overwrite', action='store_true', help='compute again what a former run has done')
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    # Imported after the arguments are read, so that --help answers at once.
    from config_options import parse_options

    from mmsal.comparison import FlowComparison, FlowSettings, name_models
    from mmsal.comparison.flow.run import compare_with_progress, export_with_progress, list_jobs

    hush_others()
    settings = FlowSettings(
        args.algorithm, parse_options(args.algorithm_options, '--algorithm-options'),
        args.filename_tmpl, args.start_index, args.source_fps,
    )  # fmt: skip
    how = FlowComparison(args.centre_sigma, args.chance_clips, args.seed)
    models = name_models([Path(folder) for folder in args.saliency or []])
    jobs = list_jobs(args.video, args.frames)
    out = Path(args.out_dir)
    flows, failures = export_with_progress(jobs, out, f'.{args.format}', settings, args.overwrite)
    if failures and jobs[0].video == Path(args.video):  # no list, but the video itself
        raise ValueError(failures[0])
    for failure in failures:
        print(f'failed: {failure}', file=sys.stderr)
    print(f'optical flow of {len(flows)} of {len(jobs)} videos: {out}')
    left_out = []
    if models and flows:
        lines, left_out = compare_with_progress(flows, out, models, how, args.title)
        print('\n'.join(lines))
        for reason in left_out:
            print(f'not compared: {reason}', file=sys.stderr)
    return FAILED_SOME if failures or left_out else 0


if __name__ == '__main__':
    run(main)
