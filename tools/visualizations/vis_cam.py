"""Heatmaps of a recognizer's decision: text files of their values, overlay videos, or both.

    python tools/visualizations/vis_cam.py CONFIG CHECKPOINT VIDEO|FRAMES_DIR|LIST.txt \\
        [--file-url PATH|DIR] [--out-filename X.mp4|X.gif|DIR]
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from command_line import FAILED_SOME, Parser, hush_others, leave_status, run


def parse_args() -> argparse.Namespace:
    parser = Parser(
        description='Heatmaps of a video recognizer, for one video or a list of them.',
        epilog='Exit codes: 0 done, 2 bad usage or input, 3 some videos of a list failed.',
    )
    add = parser.add_argument
    add('config', help='config of the recognizer')
    add('checkpoint', help='its checkpoint')
    add('video', help='video file, folder of frames, or list of videos (.txt, one per line)')
    add('--file-url', metavar='PATH', help='write heatmap values to this .txt, .txt.gz or .npz '
        'file; a folder for a list')  # fmt: skip
    add('--out-filename', metavar='PATH', help='write an overlay to this .mp4 or .gif; a folder '
        'for a list (which gets the heatmap files too, if --file-url names no other)')  # fmt: skip
    add('--target-layer-name', metavar='NAME', help='layer such as backbone/layer4/1/relu, or '
        'several separated by commas (default: the last one; see --preview-model)')  # fmt: skip
    add('--target-category', metavar='CLASS', help='explain this class, by number from 0 or by '
        'name (default: the predicted one)')  # fmt: skip
    add('--method', default='gradcam', help='gradcam (default), gradcam++, layercam, hirescam, '
        'eigencam, attention_rollout, input_gradient, integrated_gradients, smoothgrad, tsr or '
        'occlusion')  # fmt: skip
    add('--method-options', nargs='+', metavar='KEY=VALUE', help='options of the method, such as '
        'steps=64 or window=4,32,32; see docs/methods.md')  # fmt: skip
    add('--space', default='source', choices=('source', 'input'), help='pixels of the maps: of the '
        'source video (default) or of the network input')  # fmt: skip
    add('--frames', metavar='A-B,C-D', help='explain these ranges of frames, each as a clip; '
        "counted from 1, ends included, as in KTH's list")  # fmt: skip
    add('--stride', type=int, metavar='N', help='cover the whole video (or each range) by clips '
        'that begin N frames apart, N at most the length of a clip (default: sample as the config '
        'does)')  # fmt: skip
    add('--window', type=int, metavar='N', help='frames from the first to the last of such a clip, '
        'where the config does not say')  # fmt: skip
    add('--dense', action='store_true', help='maps for the frames between sampled ones too, '
        'interpolated in time')  # fmt: skip
    add('--decimals', type=int, default=6, metavar='N', help='digits in text files (default: 6)')
    add('--format', choices=('txt', 'txt.gz', 'npz'), help='heatmap files of a list (default: '
        'txt)')  # fmt: skip
    add('--overwrite', action='store_true', help='explain again what a former run has done')
    add('--batch-size', type=int, default=1, metavar='N', help='clips that go through the network '
        'at once, where shapes allow (default: 1)')  # fmt: skip
    add('--workers', type=int, metavar='N', help='processes that decode the videos of a list '
        '(default: 2, or 0 on one core)')  # fmt: skip
    add('--launcher', default='none', choices=('none', 'pytorch', 'slurm'), help='several '
        'processes share the list; see tools/dist_vis_cam.sh')  # fmt: skip
    add('--device', default='auto', help='auto, cpu or cuda:N (default: auto)')
    add('--use-frames', action='store_true', help='inputs are folders of frames (seen without '
        'this, if all inputs are folders)')  # fmt: skip
    add('--source-fps', type=float, metavar='FPS', help='rate of the video that a folder of frames '
        'came from, for the timestamps')  # fmt: skip
    add('--fps', type=float, default=5, help='frames per second of the overlay (default: 5)')
    add('--alpha', type=float, default=0.5, help='weight of the heatmap in the overlay, 0 to 1 '
        '(default: 0.5)')  # fmt: skip
    add('--colormap', default='viridis', help='of matplotlib (default: viridis)')
    add('--target-resolution', nargs=2, type=int, metavar=('W', 'H'), help='the overlay fits '
        'into W x H pixels, its aspect ratio kept; with one of them -1, the other is its short '
        'side')  # fmt: skip
    add('--resize-algorithm', default='bilinear', help='nearest, bilinear (default), bicubic, '
        'area or lanczos')  # fmt: skip
    add('--preview-model', action='store_true', help='list the layers that can be explained, with '
        'their shapes for this video, and stop')  # fmt: skip
    add('--cfg-options', nargs='+', metavar='KEY=VALUE', help='override settings of the config')
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    # Imported after the arguments are read, so that --help answers at once.
    from config_options import parse_options

    from mmsal.explain import (
        Effort,
        Question,
        Sampling,
        join_ranks,
        load_recognizer,
        read_job_list,
    )
    from mmsal.explain.export import Look, check_outputs, export_list, export_video
    from mmsal.explain.preview import as_table, preview_model

    hush_others()
    question = Question(
        args.method, args.target_layer_name, parse_options(args.method_options, '--method-options'),
        args.target_category, args.space,
    )  # fmt: skip
    is_list = Path(args.video).suffix == '.txt' and not Path(args.video).is_dir()
    jobs = read_job_list(args.video) if is_list else []
    inputs = [job.video for job in jobs] or [Path(args.video)]
    use_frames = args.use_frames or all(path.is_dir() for path in inputs)
    sampling = Sampling(use_frames, args.source_fps, args.stride, args.window, args.dense)
    look = Look(
        args.decimals, args.fps, args.alpha, args.colormap, args.target_resolution,
        args.resize_algorithm,
    )  # fmt: skip
    if not args.preview_model:
        check_outputs(args.file_url, args.out_filename, is_list)
    if is_list and args.frames:
        raise ValueError('--frames is for one video: write the ranges into the list')
    if args.format and not is_list:
        raise ValueError('--format is for a list: the suffix of --file-url says it for one video')
    if args.launcher != 'none' and not is_list:
        raise ValueError('--launcher is for a list of videos')
    workers = args.workers
    if workers is None:
        workers = min(2, (os.cpu_count() or 1) - 1)
    cfg_options = parse_options(args.cfg_options)
    ranks = join_ranks(args.launcher)
    effort = Effort(args.batch_size, workers, ranks)
    model = load_recognizer(args.config, args.checkpoint, ranks.device(args.device), cfg_options)
    if args.preview_model:
        with question.open(model):  # what is wrong with it is told now
            pass
        print(as_table(preview_model(model, inputs[0], sampling)))
        return 0
    if is_list:
        failures = export_list(
            model, jobs, question, sampling, look, args.file_url, args.out_filename,
            args.format or 'txt', args.overwrite, effort,
        )  # fmt: skip
        return leave_status(FAILED_SOME if failures else 0, ranks.local)
    export_video(
        model, args.video, question, sampling, look, args.file_url, args.out_filename, args.frames,
        args.overwrite, args.batch_size,
    )  # fmt: skip
    return 0


if __name__ == '__main__':
    run(main)
