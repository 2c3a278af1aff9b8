"""Classify one video: its classes and scores.

python tools/inference.py CONFIG CHECKPOINT VIDEO
"""

import argparse
import json
from pathlib import Path

from command_line import Parser, hush_others, run


def parse_args() -> argparse.Namespace:
    parser = Parser(description='Classify one video with a trained recognizer.')
    parser.add_argument('config', help='config of the recognizer')
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument('video', help='video file, or with --use-frames a folder of frames')
    parser.add_argument('--device', default='auto', help='auto, cpu or cuda:N (default: auto)')
    parser.add_argument('--use-frames', action='store_true', help='VIDEO is a folder of frames')
    parser.add_argument(
        '--frames',
        metavar='A-B,C-D',
        help="classify these ranges of frames, counted from 1, ends included, as in KTH's list",
    )
    parser.add_argument('--top', type=int, metavar='N', help='print the N best classes only')
    parser.add_argument('--json', action='store_true', help='print JSON instead of a table')
    parser.add_argument(
        '--cfg-options', nargs='+', metavar='KEY=VALUE', help='override settings of the config'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.top is not None and args.top < 1:
        raise ValueError(f'expected --top of at least 1, got {args.top}')
    ranked = classify(args)
    if args.json:
        print(json.dumps({'video': args.video, 'predictions': ranked}, indent=1))
        return
    for row in ranked:
        print(f'{row["score"]:8.6f}  {row["class"]:4d}  {row["label"]}')


def classify(args: argparse.Namespace) -> list[dict]:
    # Imported after the arguments are read, so that --help answers at once.
    from config_options import parse_options

    from mmsal.explain import load_recognizer, parse_frame_ranges, predict_video

    hush_others()
    ranges = parse_frame_ranges(args.frames) if args.frames else None
    options = parse_options(args.cfg_options)
    use_frames = args.use_frames or Path(args.video).is_dir()
    model = load_recognizer(args.config, args.checkpoint, args.device, options)
    return predict_video(model, args.video, ranges, use_frames).ranked(args.top)


if __name__ == '__main__':
    run(main)
