"""Cut KTH's videos: a fixed number of frames of each file, or every sub-sequence of its own."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from batch import InputError, find_clips, moved_into_place, prepare_folder, work_through
from command_line import Parser, run


class Cut(NamedTuple):
    """One file to write; frames are zero-based, `end` is not included."""

    name: str
    source: Path
    target: Path
    start: int
    end: int
    # KTH's list ends a few frames late in places; a number of frames asked for is exact.
    may_end_early: int


def build_parser() -> Parser:
    """Describe the command line."""
    parser = Parser(
        description='Cut KTH videos to --num-frames frames each, or with --sequences to the '
        'sub-sequences of 00sequences.txt, resize them and make them grey. Writes MPEG-4 in AVI. '
        'Run again to go on where a run stopped. Exit code 2: bad usage or input; 3: some files '
        'failed, the others are done.'
    )
    add = parser.add_argument
    add(
        '--raw-dir',
        type=Path,
        default=Path('data/raw_dataset/kth_data'),
        help='folder of the videos, flat or one folder per action (default: %(default)s)',
    )
    add(
        '--out-dir',
        type=Path,
        default=Path('data/kth_trimmed'),
        help='folder for the cut videos (default: %(default)s)',
    )
    add('--actions', nargs='+', metavar='ACTION', help='only these actions (default: all there)')
    add('--num-frames', type=int, metavar='N', help='frames per file (default: 30)')
    add(
        '--start',
        action='append',
        metavar='ACTION=N',
        help='first frame for an action, zero-based; may be repeated (default: walking=10 and 0 '
        'for the others)',
    )
    add(
        '--sequences',
        nargs='?',
        type=Path,
        const=Path(),
        metavar='FILE',
        help='cut every sub-sequence into a file NAME_seqK.avi, K from 0, instead; FILE is the '
        'list (default: 00sequences.txt in --raw-dir)',
    )
    add(
        '--size',
        type=int,
        nargs=2,
        default=(120, 120),
        metavar=('W', 'H'),
        help='width and height in pixels, 0 0 to keep them (default: 120 120)',
    )
    add('--keep-colour', action='store_true', help='do not turn the frames grey')
    add(
        '--quality',
        type=int,
        default=1,
        metavar='Q',
        help='quantiser of MPEG-4, from 1 (best) to 31 (default: %(default)s)',
    )
    return parser


def main(args) -> int:
    """Cut all files; return the exit code."""
    starts = parse_starts(args.start or ())
    if args.sequences is not None and (args.num_frames is not None or args.start):
        raise InputError(
            '--sequences takes the frames from the list; drop --num-frames and --start'
        )
    num_frames = 30 if args.num_frames is None else args.num_frames
    if num_frames < 1 or not 1 <= args.quality <= 31:
        raise InputError('--num-frames must be 1 or more and --quality from 1 to 31')
    if min(args.size) < 0 or (min(args.size) == 0) != (max(args.size) == 0):
        raise InputError(f'--size must be two positive numbers, or 0 0, got {args.size}')
    clips = find_clips(args.raw_dir, 'video', args.actions)
    settings = {'size': args.size, 'keep_colour': args.keep_colour, 'quality': args.quality}
    if args.sequences is None:
        settings |= {'num_frames': num_frames, 'start': starts}
        cuts = plan_fixed(clips, args.raw_dir, args.out_dir, starts, num_frames)
    else:
        listed = load_sequences(args.sequences, args.raw_dir)
        settings |= {'sequences': True}
        cuts = plan_sequences(clips, args.raw_dir, args.out_dir, listed)
    prepare_folder(args.out_dir, args.raw_dir, 'trim_videos', settings)
    size = None if 0 in args.size else tuple(args.size)

    def work(cut: Cut) -> bool:
        if cut.target.exists():
            return False
        trim(cut, size, args.keep_colour, args.quality)
        return True

    return work_through('trim_videos', cuts, work)


def parse_starts(options: Sequence[str]) -> dict[str, int]:
    """Turn ``['walking=10']`` into first frames per action, with the defaults for the others."""
    from mmsal.datasets.kth_sequences import ACTIONS

    starts = {action: 10 if action == 'walking' else 0 for action in ACTIONS}
    for option in options:
        action, _, number = option.partition('=')
        if action not in starts or not number.isdecimal():
            raise InputError(
                f'--start {option}: expected ACTION=N with ACTION one of {", ".join(ACTIONS)}'
            )
        starts[action] = int(number)
    return starts


def load_sequences(path: Path, raw_dir: Path) -> dict[str, list[tuple[int, int]]]:
    """Read the list of sub-sequences, by default the one in the folder of the videos."""
    from mmsal.datasets.kth_sequences import read_sequences

    path = raw_dir / '00sequences.txt' if path == Path() else path
    try:
        return read_sequences(path)
    except OSError as error:
        raise InputError(f'cannot read the list {path}: {error.strerror}') from None
    except ValueError as error:
        raise InputError(str(error)) from None


def plan_fixed(
    clips: Sequence[Path], raw_dir: Path, out_dir: Path, starts: dict[str, int], num_frames: int
) -> list[Cut]:
    """One cut per file, of the same length."""
    from mmsal.datasets.kth_sequences import clip_id

    cuts = []
    for path in clips:
        target = (out_dir / path.relative_to(raw_dir)).with_suffix('.avi')
        start = starts[clip_id(path.stem).split('_')[1]]
        cuts.append(Cut(path.name, path, target, start, start + num_frames, 0))
    return cuts


def plan_sequences(
    clips: Sequence[Path],
    raw_dir: Path,
    out_dir: Path,
    listed: dict[str, list[tuple[int, int]]],
) -> list[Cut]:
    """One cut per sub-sequence of each file."""
    from mmsal.datasets.clip_range import TOLERATED_OVERSHOOT
    from mmsal.datasets.kth_sequences import clip_id

    cuts = []
    for path in clips:
        stem = clip_id(path.stem)
        if stem not in listed:
            raise InputError(f'{path} is not in the list of sub-sequences')
        folder = out_dir / path.parent.relative_to(raw_dir)
        for index, (start, end) in enumerate(listed[stem]):
            target = folder / f'{stem}_seq{index}.avi'
            cuts.append(Cut(target.name, path, target, start, end, TOLERATED_OVERSHOOT))
    return cuts


def trim(cut: Cut, size: tuple[int, int] | None, keep_colour: bool, quality: int) -> None:
    """Write one cut.

    Raises:
        ValueError: The video has too few frames.
        OSError, av.FFmpegError: A file cannot be read or written.
    """
    import av

    with av.open(str(cut.source)) as reader, moved_into_place(cut.target) as partial:
        if not reader.streams.video:
            raise ValueError('there is no video in this file')
        stream = reader.streams.video[0]
        wanted = cut.end - cut.start
        written = 0
        with av.open(str(partial), 'w', format='avi') as writer:
            output = writer.add_stream('mpeg4', rate=stream.average_rate or 25)
            output.pix_fmt = 'yuv420p'
            output.width, output.height = size or (stream.width, stream.height)
            # The same quantiser for every frame: quality does not depend on the motion in it.
            output.codec_context.options = {'qmin': str(quality), 'qmax': str(quality)}
            for pixels in frames_of(reader, cut, size, keep_colour):
                frame = av.VideoFrame.from_ndarray(pixels, format='rgb24')
                writer.mux(output.encode(frame))
                written += 1
            if written < max(wanted - cut.may_end_early, 1):
                raise ValueError(
                    f'frames {cut.start} to {cut.end - 1} are wanted, but the video has only '
                    f'{cut.start + written if written else "fewer"}'
                )
            writer.mux(output.encode())


def frames_of(reader, cut: Cut, size: tuple[int, int] | None, keep_colour: bool) -> Iterator:
    """Yield the frames of a cut as uint8 arrays [H, W, 3], resized and grey as asked."""
    import cv2

    for number, frame in enumerate(reader.decode(video=0)):
        if number >= cut.end:
            break
        if number < cut.start:
            continue
        pixels = frame.to_ndarray(format='rgb24')
        if size is not None and size != (pixels.shape[1], pixels.shape[0]):
            # Averages over areas: no aliasing where the picture gets smaller.
            pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        if not keep_colour:
            pixels = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        yield pixels


if __name__ == '__main__':
    run(lambda: main(build_parser().parse_args()))
