"""A list of KTH videos with their sub-sequences, as vis_cam.py takes it.

python tools/data/kth/list_clips.py DATA_ROOT --subset test --out LIST.txt
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from command_line import Parser, run


def parse_args() -> argparse.Namespace:
    parser = Parser(
        description='Write a list of videos and the frame ranges of their sub-sequences, which '
        'vis_cam.py and batch_vis_cam.sh explain one by one.'
    )
    parser.add_argument('data_root', help='folder of the videos and 00sequences.txt')
    parser.add_argument('--out', required=True, metavar='LIST.txt', help='the list to write')
    parser.add_argument(
        '--subset', default='test', choices=('train', 'val', 'test', 'all'),
        help='of the official split by person (default: test)',
    )  # fmt: skip
    parser.add_argument(
        '--classes', nargs='+', default=['walking', 'running'], metavar='ACTION',
        help='actions (default: walking running)',
    )  # fmt: skip
    parser.add_argument(
        '--skip-missing', action='store_true', help='list the videos that exist (default: all of '
        'them must)'
    )  # fmt: skip
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # Imported after the arguments are read, so that --help answers at once.
    from mmsal.datasets import KTHDataset

    dataset = KTHDataset(
        data_root=str(Path(args.data_root).resolve()),
        classes=args.classes,
        subset=args.subset,
        missing='skip' if args.skip_missing else 'error',
    )
    ranges: dict[str, list[str]] = {}
    for index in range(len(dataset)):
        sample = dataset.get_data_info(index)
        start, end = sample.get('clip_range') or (None, None)
        listed = ranges.setdefault(sample['filename'], [])
        if start is not None:
            listed.append(f'{start + 1}-{end}')
    lines = [f'{video} frames {", ".join(r)}' if r else video for video, r in ranges.items()]
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f'.{out.name}.part')
    partial.write_text('\n'.join(lines) + '\n', encoding='utf-8')
    partial.replace(out)
    print(f'{len(lines)} videos: {out}')


if __name__ == '__main__':
    run(main)
