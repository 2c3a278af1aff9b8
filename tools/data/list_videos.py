"""Lists of a folder of clips for MMAction2's VideoDataset, and which class has which label.

python tools/data/list_videos.py FOLDER [--group REGEX | --kth-split] [--classes A B ...]
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from command_line import Parser, run


def parse_args() -> argparse.Namespace:
    parser = Parser(
        description='Divide the clips of a folder into training, validation and testing, and list '
        'them as MMAction2 reads them: lines of `path label`, paths relative to FOLDER. FOLDER has '
        'one sub-folder per class, with clips at any depth below it; or it is flat and its clips '
        'have the names of KTH (person01_walking_d1, perhaps with _seq0 behind), which tell the '
        'action. classes.txt has a class per line: the number of the line, from 0, is the label.',
        epilog='Why groups: clips of one person, or cut from one recording, resemble each other. '
        'With some of them in training and some in testing, the test rewards a network that '
        'knows the person or the place, and its accuracy says little about others. Exit code 2: '
        'bad usage or input, and nothing is written.',
    )
    add = parser.add_argument
    add('folder', metavar='FOLDER', help='folder of the clips')
    add('--out', metavar='DIR', help='folder for the lists (default: FOLDER/lists)')
    add('--classes', nargs='+', metavar='NAME', help='classes to list, in the order of their '
        'labels (default: all, by alphabet)')  # fmt: skip
    add('--val', type=float, metavar='SHARE', help='of the clips of every class, for validation '
        '(default: 0.1)')  # fmt: skip
    add('--test', type=float, metavar='SHARE', help='the same for testing (default: 0.2)')
    add('--seed', type=int, help='another seed, another split (default: 0)')
    add('--group', metavar='REGEX', help='keep clips together whose paths have the same text in '
        r"this expression's first group: 'person(\d+)', say")  # fmt: skip
    add('--kth-split', action='store_true', help="KTH's official split, by person, instead")
    add('--overwrite', action='store_true', help='replace lists that are there and differ')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # Imported after the arguments are read, so that --help answers at once.
    from mmsal.datasets.class_folders import (
        as_table,
        check_complete,
        choose_classes,
        divide,
        find_clips,
        write_lists,
    )

    folder = Path(args.folder)
    out = Path(args.out) if args.out else folder / 'lists'
    found = find_clips(folder)
    classes = choose_classes(found, args.classes, folder)
    class_of = {clip: name for name in classes for clip in found[name]}
    subsets = divide(
        class_of, kth_split=args.kth_split, val=args.val, test=args.test, seed=args.seed,
        group=args.group,
    )  # fmt: skip
    check_complete(class_of, subsets)
    write_lists(out, classes, class_of, subsets, args.overwrite)
    print(as_table(classes, class_of, subsets))
    for name in sorted(found.keys() - set(classes)):
        print(f'left out, for --classes does not name it: {name} ({len(found[name])} clips)')
    if not (args.group or args.kth_split):
        print(
            'note: divided clip by clip. Where several clips show one person or come from one '
            'recording, use --group, or the test has what was trained on'
        )
    print(f'lists in {out}; in the config: data_root = {str(folder)!r}, {len(classes)} classes')


if __name__ == '__main__':
    run(main)
