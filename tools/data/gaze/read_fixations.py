"""Gaze files of many formats into the one fixation table that everything here takes.

python tools/data/gaze/read_fixations.py FILE|DIR... --out fixations.csv [--format F]
"""

import argparse
import glob
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from command_line import FAILED_SOME, Parser, run


def parse_args() -> argparse.Namespace:
    parser = Parser(
        description='Read fixations of one or many gaze files and write them as one table: video, '
        'observer, start_s, end_s (seconds from the first frame), x_px, y_px (pixels of the source '
        "video, origin top left). What a file does not say must be said; --list-formats and "
        'docs/gaze.md tell what each format needs.',
        epilog='Exit codes: 0 done, 2 bad usage or input, 3 some files failed and the rest are in '
        'the table.',
    )  # fmt: skip
    add = parser.add_argument
    add('paths', nargs='*', metavar='FILE|DIR', help='gaze files, or folders that are one recording'
        ' each (such as annotation/0001); patterns like "P*.txt" too')  # fmt: skip
    add('--out', metavar='TABLE', help='table to write, .csv or .parquet; TABLE.json beside it '
        'records what was said and what was left out')  # fmt: skip
    add('--format', metavar='F', help='of the files (default: recognised from each)')
    add('--list-formats', action='store_true', help='list the formats and what they need')
    add_names(parser.add_argument_group('names'))
    add_places(parser.add_argument_group('positions'))
    add_times(parser.add_argument_group('times'))
    args = parser.parse_args()
    if not args.list_formats:
        if not args.paths or not args.out:
            parser.error('expected FILE|DIR... and --out TABLE, or --list-formats')
        if Path(args.out).suffix.lower() not in ('.csv', '.parquet'):
            parser.error(f'expected --out to end in .csv or .parquet, got {args.out}')
    return args


def add_names(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add('--video', help='name of the video that was watched; {stem} stands for the name of the '
        'file without its suffix')  # fmt: skip
    add('--observer', help='name of the observer; {stem} likewise')
    add('--names', metavar='REGEX', help='regular expression that finds names in the path, such as '
        '"(?P<observer>P[0-9]+)/(?P<video>[^/]+)/fixations.csv"')  # fmt: skip
    add('--video-column', metavar='NAME', help='column that names the video')
    add('--video-message', metavar='REGEX', help='messages that name the video, with a group '
        '(?P<video>...)')  # fmt: skip


def add_places(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add('--video-size', type=video_size, metavar='WxH|FILE.csv', help='of the source video in '
        'pixels; or a table with the columns video, width, height')  # fmt: skip
    add('--screen-size', type=size, metavar='WxH', help='of the screen in pixels')
    add('--video-rect', type=rectangle, metavar='letterbox|screen|centre|X,Y,W,H', help='where on '
        'the screen the video was: as large as fits, over all of it, in its own size in the '
        'middle, or a rectangle in pixels from the top left corner')  # fmt: skip
    add('--space', choices=('screen', 'video', 'screen-normalised', 'video-normalised'),
        help='what positions are measured in: pixels, or shares of width and height')  # fmt: skip
    add('--origin', choices=('top-left', 'bottom-left', 'centre-up', 'centre-down'),
        help='where positions are counted from, and where y grows to')  # fmt: skip
    add('--eye', choices=('left', 'right', 'mean'), help='which eye of two')
    add('--min-confidence', type=float, metavar='C', help='leave out fixations below it (0 to 1)')


def add_times(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add('--time-zero', type=time_zero, metavar='T|first|REGEX', help="the file's clock at the "
        "video's first frame, in the file's own unit; or the first line of data; or the message "
        'or column that has it')  # fmt: skip
    add('--time-unit', choices=('s', 'ms', 'us', 'ns'), help="of the file's clock")
    add('--fps', type=float, help='frames per second, for files that count frames')
    add('--frame-times', type=frame_times, metavar='FILE', help='seconds at which each frame '
        'begins, one per line, for files that count frames (goes before --fps)')  # fmt: skip
    add('--first-frame', type=int, metavar='N', help="the file's number of the first frame")


def size(text: str) -> tuple[float, float]:
    parts = text.lower().split('x')
    try:
        wide, high = (float(part) for part in parts)
    except ValueError:
        raise argparse.ArgumentTypeError(f'expected a size like 640x360, got {text!r}') from None
    return wide, high


def video_size(text: str) -> tuple[float, float] | dict[str, tuple[float, float]]:
    if not text.endswith('.csv'):
        return size(text)
    from mmsal.gaze.readers.format import given_numbers, read_columns

    try:
        table = read_columns(Path(text), ('video', 'width', 'height'), ',')
        sides = [given_numbers(table, side, Path(text)) for side in ('width', 'height')]
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return dict(zip(table['video'], zip(*sides, strict=True), strict=True))


def rectangle(text: str) -> tuple[float, ...] | str:
    if ',' not in text:
        return text
    try:
        return tuple(float(part) for part in text.split(','))
    except ValueError:
        raise argparse.ArgumentTypeError(f'expected X,Y,W,H in pixels, got {text!r}') from None


def time_zero(text: str) -> float | str:
    for kind in (int, float):  # whole numbers stay exact, as nanoseconds must
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def frame_times(path: str) -> list[float]:
    try:
        return [float(line) for line in Path(path).read_text(encoding='utf-8').split()]
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f'{path}: {error}') from None


def main() -> int:
    args = vars(parse_args())
    # Imported after the arguments are read, so that --help answers at once.
    from mmsal.gaze import FORMATS, Recording, write_fixation_table
    from mmsal.gaze.readers.batch import doubled, emptied, in_words, join_tables, many, record

    paths, out, listing = args.pop('paths'), args.pop('out'), args.pop('list_formats')
    if listing:
        for one in FORMATS.values():
            print(f'{one.name}: {one.title}')
            print(f'    needs: {", ".join(one.needs) or "nothing"}')
        return 0
    recording = {name: value for name, value in args.items() if name not in ('format', 'names')}
    Recording(**recording)  # a mistake in the options is one for all files
    reads = read_all(expand(paths), args['format'], args['names'], recording)
    failed = [one for one in reads if one.table is None]
    if len(reads) == len(failed) == 1:
        raise ValueError(failed[0].error)
    for one in failed:
        print(f'failed: {one.error}', file=sys.stderr)
    if len(failed) == len(reads):
        raise ValueError(f'none of {len(reads)} files could be read')
    for sentence in [*emptied(reads), *doubled(reads)]:
        print(f'warning: {sentence}', file=sys.stderr)
    table = join_tables(reads)
    counts = table.attrs['counts']
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_fixation_table(table, path)
    note = path.with_name(f'{path.name}.json')
    partial = note.with_name(f'.{note.name}.part')
    partial.write_text(json.dumps(record(reads), indent=1) + '\n', encoding='utf-8')
    partial.replace(note)
    print(
        f'{len(reads) - len(failed)} of {many(len(reads), "file")}, '
        f'{many(table["video"].nunique(), "video")}, '
        f'{many(table["observer"].nunique(), "observer")}: {in_words(counts)}: {out}'
    )
    return FAILED_SOME if failed else 0


def expand(paths: list[str]) -> list[Path]:
    """Paths in order and each once; patterns that the shell left alone are filled in."""
    found = []
    for text in paths:
        filled = [] if Path(text).exists() else sorted(glob.glob(text, recursive=True))  # noqa: PTH207
        found += filled or [text]
    return list(dict.fromkeys(Path(text) for text in found))


def read_all(paths: list[Path], format: str | None, names: str | None, recording: dict) -> list:
    """Read all files with a progress bar, and print a line for each that could be read."""
    from rich.console import Console
    from rich.progress import track

    from mmsal.gaze.readers.batch import in_words, read_files

    console = Console(stderr=True)
    reads = list(
        track(
            read_files(paths, format, names, **recording),
            description='gaze files',
            total=len(paths),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
    )
    for one in reads:
        if one.table is not None:
            attrs = one.table.attrs
            print(f'{one.path}: {in_words(attrs["counts"])} ({attrs["format"]})')
    return reads


if __name__ == '__main__':
    run(main)
