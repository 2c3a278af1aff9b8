"""Which frames of a video decide, and where in them: gradients, TSR on top of them.

    python tools/saliency/frame_saliency.py CONFIG CHECKPOINT VIDEO|FRAMES_DIR|LIST.txt \\
        --method gradient|smoothgrad|integrated_gradients|tsr --out-dir DIR
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from command_line import FAILED_SOME, Parser, hush_others, run

GRADIENT_OPTIONS = ('steps', 'samples', 'noise', 'seed')
TSR_OPTIONS = ('patch_size', 'mask_value', 'quantile', 'form', 'exact', 'memory')


def parse_args() -> argparse.Namespace:
    parser = Parser(
        description='For each video x write heatmaps, x.txt, what each frame counts, x.time.csv '
        'and x.time.png, frames over their maps, x.strip.png, and an overlay, x.mp4. See '
        'docs/sequential_saliency.md.',
        epilog='Exit codes: 0 done, 2 bad usage or input, 3 some videos of a list failed.',
    )
    add = parser.add_argument
    add('config', help='config of the recognizer')
    add('checkpoint', help='its checkpoint')
    add('video', help='video file, folder of frames, or list of videos (.txt, one per line)')
    add('--method', default='gradient', help='gradient (default), smoothgrad, '
        'integrated_gradients, tsr (temporal saliency rescaling), or another of '
        'docs/methods.md')  # fmt: skip
    add('--out-dir', required=True, metavar='DIR', help='folder for the results; a second run '
        'goes on where the first has stopped')  # fmt: skip
    add('--target-category', metavar='CLASS', help='explain this class, by number from 0 or by '
        'name (default: the predicted one)')  # fmt: skip
    add('--space', default='source', choices=('source', 'input'), help='pixels of the maps: of the '
        'source video (default) or of the network input')  # fmt: skip
    add('--frames', metavar='A-B,C-D', help='explain these ranges of frames, each as a clip; '
        "counted from 1, ends included, as in KTH's list")  # fmt: skip
    add('--stride', type=int, metavar='N', help='cover the whole video (or each range) by clips '
        'that begin N frames apart (default: sample as the config does)')  # fmt: skip
    add('--window', type=int, metavar='N', help='frames from the first to the last of such a clip, '
        'where the config does not say')  # fmt: skip
    add('--format', default='txt', choices=('txt', 'txt.gz', 'npz'), help='of the heatmap files '
        '(default: txt)')  # fmt: skip
    add('--decimals', type=int, default=6, metavar='N', help='digits in text files (default: 6)')
    add('--fps', type=float, default=5, help='frames per second of the overlay (default: 5)')
    add('--alpha', type=float, default=0.5, help='weight of the map over the frame, 0 to 1 '
        '(default: 0.5)')  # fmt: skip
    add('--colormap', default='viridis', help='of matplotlib (default: viridis)')
    add('--device', default='auto', help='auto, cpu or cuda:N (default: auto)')
    add('--batch-size', type=int, default=1, metavar='N', help='clips that go through the network '
        'at once, where shapes allow; tsr takes one (default: 1)')  # fmt: skip
    add('--workers', type=int, metavar='N', help='processes that decode the videos of a list '
        '(default: 2, or 0 on one core)')  # fmt: skip
    add('--use-frames', action='store_true', help='inputs are folders of frames (seen without '
        'this, if all inputs are folders)')  # fmt: skip
    add('--source-fps', type=float, metavar='FPS', help='rate of the video that a folder of frames '
        'came from, for the timestamps')  # fmt: skip
    add('--overwrite', action='store_true', help='explain again what a former run has done')
    add('--cfg-options', nargs='+', metavar='KEY=VALUE', help='override settings of the config')
    add_tsr_options(
        parser.add_argument_group('temporal saliency rescaling (--method tsr)').add_argument
    )
    add = parser.add_argument_group(
        'smoothgrad and integrated gradients, also within tsr'
    ).add_argument
    add('--samples', type=int, metavar='N', help='noisy copies of smoothgrad (default: 16)')
    add('--noise', type=float, metavar='S', help="standard deviation of smoothgrad's noise, as a "
        'share of the range of the input (default: 0.15)')  # fmt: skip
    add('--seed', type=int, help="of smoothgrad's noise (default: 0)")
    add('--steps', type=int, metavar='N', help='points of the integral of integrated_gradients '
        '(default: 32)')  # fmt: skip
    return parser.parse_args()


def add_tsr_options(add) -> None:
    add('--tsr-of', metavar='METHOD', help='the attribution that is rescaled: gradient (default), '
        'smoothgrad or integrated_gradients')  # fmt: skip
    add('--patch-size', type=int, metavar='PX', help='side of a patch, in pixels of the network '
        'input (default: 10)')  # fmt: skip
    add('--mask-value', metavar='VALUE', help="what hidden pixels become: first (default), the "
        "colour of the clip's first pixel; mean, the clip's mean colour; blur; or a number, in "
        'units of the normalised input')  # fmt: skip
    add('--quantile', type=float, metavar='Q', help='patches are hidden in the frames above this '
        'quantile of the time contributions, 0 to below 1 (default: 0.55)')  # fmt: skip
    add('--form', metavar='FORM', help='official (default): as published in code, contributions '
        'stretched to 0 to 1; paper: as published in print')  # fmt: skip
    add('--exact', action='store_true', default=None, help='send every clip through the whole '
        'network, also where a CNN-LSTM can do with less')  # fmt: skip
    add('--memory', type=float, metavar='GIB', help='that the rescaling may take beside network '
        'and clip (default: 2)')  # fmt: skip


def main() -> int:
    args = parse_args()
    # Imported after the arguments are read, so that --help answers at once.
    from config_options import parse_options

    from mmsal.explain import (
        Effort,
        Job,
        Sampling,
        load_recognizer,
        parse_frame_ranges,
        read_job_list,
    )
    from mmsal.explain.export import Look
    from mmsal.explain.frame_saliency import (
        ask,
        explain_frames_of_list,
        explain_frames_of_video,
        frame_output,
    )

    hush_others()
    question = ask(args.method, given_options(args), args.target_category, args.space)
    video = Path(args.video)
    is_list = video.suffix == '.txt' and not video.is_dir()
    if is_list and args.frames:
        raise ValueError('--frames is for one video: write the ranges into the list')
    if is_list:
        jobs = read_job_list(video)
    else:
        stem = video.name if video.is_dir() else video.stem
        ranges = parse_frame_ranges(args.frames) if args.frames else None
        jobs = [Job(video, Path(stem), ranges)]
    use_frames = args.use_frames or all(job.video.is_dir() for job in jobs)
    sampling = Sampling(use_frames, args.source_fps, args.stride, args.window, keep_frames=True)
    look = Look(args.decimals, args.fps, args.alpha, args.colormap)
    output = frame_output(Path(args.out_dir), look, args.format, args.overwrite)
    workers = args.workers
    if workers is None:
        workers = min(2, (os.cpu_count() or 1) - 1) if is_list else 0
    effort = Effort(args.batch_size, workers)
    model = load_recognizer(
        args.config, args.checkpoint, args.device, parse_options(args.cfg_options)
    )
    if not is_list:
        explain_frames_of_video(model, jobs[0], output, question, sampling, effort)
        return 0
    failures = explain_frames_of_list(model, jobs, output, question, sampling, effort)
    return FAILED_SOME if failures else 0


def given_options(args: argparse.Namespace) -> dict:
    """Options of the method that are on the command line."""
    from config_options import parse_options

    given = {
        name: getattr(args, name)
        for name in (*GRADIENT_OPTIONS, *TSR_OPTIONS)
        if getattr(args, name) is not None
    }
    if args.tsr_of is not None:
        if args.method != 'tsr':
            raise ValueError(f'--tsr-of is for --method tsr, not {args.method}')
        given['of'] = args.tsr_of
    if 'mask_value' in given:  # a word or a number
        given |= parse_options([f'mask_value={args.mask_value}'], '--mask-value')
    return given


if __name__ == '__main__':
    run(main)
