"""Feature saliency of a CNN-LSTM: which of its features count at which time.

    python tools/saliency/feature_saliency.py CONFIG CHECKPOINT VIDEO|FRAMES_DIR|LIST.txt \\
        --out-dir DIR [--beside CONFIG CHECKPOINT]
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from command_line import FAILED_SOME, Parser, hush_others, run


def parse_args() -> argparse.Namespace:
    parser = Parser(
        description='For each video x write x.npz, the size of the gradient of the class score at '
        'each feature of each frame and its temporal saliency rescaling, and x.png, a picture of '
        'both. The network must classify a sequence of frame features, as CNNLSTMRecognizer does.',
        epilog='Exit codes: 0 done, 2 bad usage or input, 3 some videos of a list failed.',
    )
    add = parser.add_argument
    add('config', help='config of the recognizer')
    add('checkpoint', help='its checkpoint')
    add('video', help='video file, folder of frames, or list of videos (.txt, one per line)')
    add('--out-dir', required=True, metavar='DIR', help='folder for the results; a second run '
        'goes on where the first has stopped')  # fmt: skip
    add('--target-category', metavar='CLASS', help='explain this class, by number from 0 or by '
        'name (default: the predicted one)')  # fmt: skip
    add('--frames', metavar='A-B,C-D', help='explain these ranges of frames, each as a clip; '
        "counted from 1, ends included, as in KTH's list")  # fmt: skip
    add('--stride', type=int, metavar='N', help='cover the whole video (or each range) by clips '
        'that begin N frames apart (default: sample as the config does)')  # fmt: skip
    add('--beside', nargs=2, metavar=('CONFIG', 'CHECKPOINT'), help='a second network of the same '
        'classes, shown beside the first one')  # fmt: skip
    add('--quantile', type=float, default=0.55, help='rescaling looks into the frames above this '
        'quantile of the time contributions, 0 to below 1 (default: 0.55)')  # fmt: skip
    add('--form', default='official', help='official (default): rescaling as published in code, '
        'stretched to 0 to 1; paper: as published in print')  # fmt: skip
    add('--mask-value', default='first', metavar='VALUE', help='what hidden features become: '
        'first (default), all the first feature of the first frame; mean, each its mean over '
        'time; or a number')  # fmt: skip
    add('--batch-size', type=int, default=64, metavar='N', help='feature sequences that are '
        'classified at once (default: 64)')  # fmt: skip
    add('--device', default='auto', help='auto, cpu or cuda:N (default: auto)')
    add('--use-frames', action='store_true', help='inputs are folders of frames (seen without '
        'this, if all inputs are folders)')  # fmt: skip
    add('--source-fps', type=float, metavar='FPS', help='rate of the video that a folder of frames '
        'came from, for the timestamps')  # fmt: skip
    add('--overwrite', action='store_true', help='do again what a former run has done')
    add('--cfg-options', nargs='+', metavar='KEY=VALUE', help='override settings of CONFIG, not '
        'of the one beside')  # fmt: skip
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    # Imported after the arguments are read, so that --help answers at once.
    from config_options import parse_options

    from mmsal.explain import Job, Sampling, load_recognizer, parse_frame_ranges, read_job_list
    from mmsal.explain.feature_export import export_feature_list, export_feature_video
    from mmsal.explain.features import FeatureQuestion

    hush_others()
    question = FeatureQuestion(
        args.target_category, as_number(args.mask_value), args.quantile, args.form, args.batch_size
    )
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
    sampling = Sampling(use_frames, args.source_fps, args.stride)
    models = [
        load_recognizer(args.config, args.checkpoint, args.device, parse_options(args.cfg_options))
    ]
    if args.beside:
        models.append(load_recognizer(*args.beside, args.device))
    folder = Path(args.out_dir)
    if not is_list:
        export_feature_video(models, jobs[0], folder, question, sampling, args.overwrite)
        return 0
    failures = export_feature_list(models, jobs, folder, question, sampling, args.overwrite)
    return FAILED_SOME if failures else 0


def as_number(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


if __name__ == '__main__':
    run(main)
