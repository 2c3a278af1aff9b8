"""Write every frame of the (trimmed) KTH videos as an image, one folder per clip."""

from pathlib import Path

from batch import InputError, find_clips, moved_into_place, prepare_folder, work_through
from command_line import Parser, run


def build_parser() -> Parser:
    """Describe the command line."""
    parser = Parser(
        description='Write the frames of KTH videos as JPEG files OUT_DIR/CLIP/image_00001.jpg, '
        'counted from 1. Run again to go on where a run stopped. Exit code 2: bad usage or input; '
        '3: some files failed, the others are done.'
    )
    add = parser.add_argument
    add(
        '--video-dir',
        type=Path,
        default=Path('data/kth_trimmed'),
        help='folder of the videos, flat or one folder per action (default: %(default)s)',
    )
    add(
        '--out-dir',
        type=Path,
        default=Path('data/kth/image_data'),
        help='folder for the folders of frames (default: %(default)s)',
    )
    add('--actions', nargs='+', metavar='ACTION', help='only these actions (default: all there)')
    add(
        '--quality',
        type=int,
        default=95,
        metavar='Q',
        help='quality of the JPEG files, from 1 to 100 (default: %(default)s)',
    )
    return parser


def main(args) -> int:
    """Extract the frames of all files; return the exit code."""
    if not 1 <= args.quality <= 100:
        raise InputError('--quality must be from 1 to 100')
    clips = find_clips(args.video_dir, 'video', args.actions)
    jobs = [(path.name, path, args.out_dir / path.stem) for path in clips]
    prepare_folder(args.out_dir, args.video_dir, 'extract_frames', {'quality': args.quality})

    def work(job: tuple[str, Path, Path]) -> bool:
        _, source, target = job
        if target.exists():
            return False
        extract(source, target, args.quality)
        return True

    return work_through('extract_frames', jobs, work)


def extract(source: Path, target: Path, quality: int) -> None:
    """Write the frames of one video.

    Raises:
        ValueError: The video has no frame.
        OSError, av.FFmpegError: A file cannot be read or written.
    """
    import av
    import cv2

    with av.open(str(source)) as reader, moved_into_place(target) as partial:
        if not reader.streams.video:
            raise ValueError('there is no video in this file')
        partial.mkdir()
        number = 0
        for number, frame in enumerate(reader.decode(video=0), start=1):
            path = partial / f'image_{number:05d}.jpg'
            coded, data = cv2.imencode(
                '.jpg', frame.to_ndarray(format='bgr24'), [cv2.IMWRITE_JPEG_QUALITY, quality]
            )
            if not coded:
                raise ValueError(f'frame {number} cannot be written as JPEG')
            path.write_bytes(data.tobytes())
        if number == 0:
            raise ValueError('the video has no frame')


if __name__ == '__main__':
    run(lambda: main(build_parser().parse_args()))
