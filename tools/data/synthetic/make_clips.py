"""Make synthetic clips of walking and running people in KTH's form, with known evidence.

Writes the videos, 00sequences.txt, truth masks, the fixations of simulated observers and a README
into a folder. Clips that are there already are kept, so an interrupted run can be started again.
"""

import argparse
import sys
from itertools import chain
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from command_line import Parser, run


def _numbers(text: str) -> list[int]:
    """Turn '1-3' into [1, 2, 3] and '7' into [7]."""
    first, _, last = text.partition('-')
    try:
        numbers = list(range(int(first), int(last or first) + 1))
    except ValueError:
        numbers = []
    if not numbers:
        raise argparse.ArgumentTypeError(f'expected a number or a range like 1-25, got {text!r}')
    return numbers


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('out_dir', metavar='OUT_DIR', help='folder to fill; made if it is absent')
    parser.add_argument(
        '--persons',
        metavar='N',
        nargs='+',
        type=_numbers,
        default='1-25',
        help='persons, 1 to 99; ranges such as 1-25',
    )
    parser.add_argument(
        '--actions',
        nargs='+',
        choices=('walking', 'running'),
        default=['walking', 'running'],
        metavar='ACTION',
        help='walking, running or both',
    )
    parser.add_argument(
        '--scenarios',
        metavar='S',
        nargs='+',
        type=_numbers,
        default='1',
        help='1 outdoors, 2 changing scale, 3 other clothes, 4 indoors with a shadow',
    )
    parser.add_argument(
        '--passes', type=int, default=4, help='times a person crosses the picture in a file'
    )
    parser.add_argument(
        '--observers', type=int, default=8, help='simulated observers who watch every clip'
    )
    parser.add_argument('--seed', type=int, default=0, help='another seed, other people and places')
    parser.add_argument(
        '--evidence',
        choices=('full', 'legs'),
        default='full',
        help='what tells walking from running: everything, or the legs alone',
    )
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='make clips again that are there, and drop those made with other settings',
    )
    args = parser.parse_args(arguments)
    for name in ('persons', 'scenarios'):
        # argparse puts the lists of several ranges into a list, but that of the default as it is.
        ranges = (n if isinstance(n, list) else [n] for n in getattr(args, name))
        setattr(args, name, list(chain.from_iterable(ranges)))
    return args


def main() -> None:
    args = vars(parse_args())
    # Imported after the command line is read: --help and typing errors must not wait for torch.
    from rich.console import Console
    from rich.progress import Progress

    from mmsal.datasets.synthetic import make_clips

    console = Console(stderr=True)
    # Without a terminal, rich would leave an empty line in the log.
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task('synthetic clips', total=None)
        videos = make_clips(
            args.pop('out_dir'),
            **args,
            progress=lambda done, total, name: bar.update(
                task, completed=done, total=total, description=name
            ),
        )
    print(f'{len(videos)} synthetic clips in {videos[0].parent}')


if __name__ == '__main__':
    run(main)
