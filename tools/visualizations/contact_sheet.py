"""One picture of many explained videos.

python tools/visualizations/contact_sheet.py HEATMAP_DIR OUT.png
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from command_line import Parser, run


def parse_args() -> argparse.Namespace:
    parser = Parser(
        description='Draw frames under their heatmaps, a row per video, from heatmap files in the '
        "source video's pixels. The videos are found through the files' sidecars."
    )
    parser.add_argument('heatmaps', help='folder of heatmap files, as vis_cam.py writes it')
    parser.add_argument('out', help='PNG to write')
    parser.add_argument('--videos', type=int, default=8, metavar='N', help='rows (default: 8)')
    parser.add_argument(
        '--frames', type=int, default=8, metavar='N', help='frames of each video (default: 8)'
    )
    parser.add_argument('--alpha', type=float, default=0.5, help='weight of the map (default: 0.5)')
    parser.add_argument('--title', default='', help='line above the rows')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if not args.out.lower().endswith('.png'):
        raise ValueError(f'expected a name ending with .png, got {args.out}')
    for option in ('videos', 'frames'):
        if getattr(args, option) < 1:
            raise ValueError(f'expected --{option} of at least 1, got {getattr(args, option)}')
    # Imported after the arguments are read, so that --help answers at once.
    from mmsal.visualization.heatmap_folder import draw_heatmap_folder

    drawn = draw_heatmap_folder(
        args.heatmaps, args.out, args.videos, args.frames, args.alpha, args.title
    )
    print(f'contact sheet of {drawn} videos: {args.out}')


if __name__ == '__main__':
    run(main)
