"""Divide KTH clips into training, validation and testing: an ActivityNet-style JSON file."""

import json
from pathlib import Path

from batch import InputError, find_clips, moved_into_place
from command_line import Parser, run


def build_parser() -> Parser:
    """Describe the command line."""
    parser = Parser(
        description='Divide the clips of a folder into training, validation and testing and write '
        '{"labels": [...], "database": {CLIP: {"subset": ..., "annotations": {"label": ...}}}}. '
        'Read by KTHDataset with split="json". Exit code 2: bad usage or input.'
    )
    add = parser.add_argument
    add(
        '--clip-dir',
        type=Path,
        default=Path('data/kth/image_data'),
        help='folder of the folders of frames, or with --videos of the videos '
        '(default: %(default)s)',
    )
    add('--videos', action='store_true', help='--clip-dir holds video files')
    add(
        '--out',
        type=Path,
        metavar='FILE',
        help='file to write (default: annotations/kth_person.json or '
        'annotations/kth_random_seed0.json beside --clip-dir)',
    )
    add(
        '--actions',
        nargs='+',
        metavar='ACTION',
        default=['walking', 'running'],
        help='classes, in the order of their labels (default: walking running)',
    )
    add(
        '--split',
        choices=('person', 'random'),
        default='person',
        help='the official split by person, or a seeded one (default: %(default)s)',
    )
    add('--seed', type=int, default=0, help='seed of the random split (default: %(default)s)')
    add(
        '--ratios',
        type=float,
        nargs=3,
        default=(0.6, 0.2, 0.2),
        metavar=('TRAIN', 'VAL', 'TEST'),
        help='shares in the random split, with sum 1 (default: 0.6 0.2 0.2)',
    )
    add(
        '--group',
        choices=('person', 'file', 'sequence'),
        default='person',
        help='what the random split keeps together; file and sequence put the same person into '
        'training and testing (default: %(default)s)',
    )
    return parser


def main(args) -> int:
    """Write the file; return the exit code."""
    from mmsal.datasets.kth_sequences import ACTIONS, ACTIVITYNET_SUBSETS

    unknown = [action for action in args.actions if action not in ACTIONS]
    if unknown or len(set(args.actions)) != len(args.actions):
        raise InputError(f'--actions: expected some of {", ".join(ACTIONS)}, each once')
    paths = find_clips(args.clip_dir, 'video' if args.videos else 'frames', args.actions)
    names = [path.stem if args.videos else path.name for path in paths]
    subsets = divide(names, args)
    name = f'kth_random_seed{args.seed}.json' if args.split == 'random' else 'kth_person.json'
    out = args.out or args.clip_dir.parent / 'annotations' / name
    database = {
        clip: {
            'subset': ACTIVITYNET_SUBSETS[subsets[clip]],
            'annotations': {'label': clip.split('_')[1]},
        }
        for clip in names
    }
    text = json.dumps({'labels': args.actions, 'database': database}, indent=1)
    try:
        with moved_into_place(out) as partial:
            partial.write_text(text + '\n', encoding='utf-8')
    except OSError as error:
        raise InputError(f'cannot write {out}: {error.strerror}') from None
    counts = [list(subsets.values()).count(subset) for subset in ACTIVITYNET_SUBSETS]
    print(f'{out}: {counts[0]} training, {counts[1]} validation, {counts[2]} testing clips')
    return 0


def divide(names: list[str], args) -> dict[str, str]:
    """Give every clip its subset: 'train', 'val' or 'test'."""
    from mmsal.datasets.kth_sequences import OFFICIAL_SPLIT, clip_id, parse_name, split_groups

    parsed = {name: parse_name(clip_id(name).partition('#')[0]) for name in names}
    if args.split == 'person':
        subset_of = {
            person: subset for subset, persons in OFFICIAL_SPLIT.items() for person in persons
        }
        strangers = [name for name in names if parsed[name].person not in subset_of]
        if strangers:
            raise InputError(
                f'{strangers[0]}: the official split has persons 1 to 25; use --split random'
            )
        return {name: subset_of[parsed[name].person] for name in names}
    groups = {
        name: {'person': parsed[name].person, 'file': parsed[name].stem, 'sequence': clip_id(name)}
        for name in names
    }
    samples = [(groups[name][args.group], parsed[name].action) for name in names]
    try:
        assigned = split_groups(samples, args.ratios, args.seed)
    except ValueError as error:
        raise InputError(f'--ratios: {error}') from None
    return {name: assigned[groups[name][args.group]] for name in names}


if __name__ == '__main__':
    run(lambda: main(build_parser().parse_args()))
