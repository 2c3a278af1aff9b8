"""Fine-tuning I3D R50, X3D-L and SlowFast R101: time and memory of a step with each saving.

    python benchmarks/training.py [--networks i3d x3d slowfast] [--settings plain ...] [--batch 2]
        [--steps 2] [--threads 1] [--device cpu] [--out results.md]

Each setting is the fine-tuning config of CNN_finetunings with the --cfg-options that stand beside
it, in a process of its own. A step is --batch clips and one update of the weights. The clips are
SYNTHETIC noise and the weights random: neither changes what is measured. Dropout is off, so that
losses can be compared.

Time: the fastest of the steps after the first; on a CPU processor time, of one thread unless
--threads says otherwise, so that what else runs on the machine matters little. Memory: the largest
resident memory (CPU) or memory of torch (GPU) of all steps, over what model and data held before
the first. Clips of X3D-L and SlowFast are smaller than their configs have them, so that all of it
ends in some ten minutes of one thread; --frames and --crop set others.
"""

import argparse
import json
import os
import platform
import resource
import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / 'CNN_finetunings'
# Name: title, config, parts of the backbone that take its options, frames, crop.
NETWORKS = {
    'i3d': (
        'I3D R50', 'i3d/i3d_r50_pytorchvideo-pretrained_1xb8-8x8x1-20e_finetune-rgb.py',
        ('',), 8, 224,
    ),
    'x3d': (
        'X3D-L', 'x3d/x3d_l_pytorchvideo-pretrained_1xb8-16x5x1-20e_finetune-rgb.py',
        ('',), 16, 224,
    ),
    'slowfast': (
        'SlowFast R101',
        'slowfast/slowfast_r101_pytorchvideo-pretrained_1xb8-16x8x1-20e_finetune-rgb.py',
        ('slow_pathway.', 'fast_pathway.'), 32, 160,
    ),
}  # fmt: skip
CHECKPOINTING, FROZEN = ('backbone', 'with_cp', True), ('backbone', 'frozen_stages', 2)
ACCUMULATION = ('config', 'optim_wrapper.accumulative_counts', 'batch')
BFLOAT16 = ('config', 'optim_wrapper.type', 'BFloat16OptimWrapper')
SETTINGS = {
    'plain': (),
    'checkpointing': (CHECKPOINTING,),
    'accumulation': (ACCUMULATION,),
    'bfloat16': (BFLOAT16,),
    'frozen': (FROZEN,),
    'norms': (('backbone', 'norm_eval', False),),
    'together': (CHECKPOINTING, ACCUMULATION, BFLOAT16),
    'all': (CHECKPOINTING, ACCUMULATION, BFLOAT16, FROZEN),
}
TITLES = {
    'plain': 'as the config is',
    'checkpointing': 'gradient checkpointing',
    'accumulation': 'gradient accumulation, one clip at a time',
    'bfloat16': 'mixed precision (bfloat16)',
    'frozen': 'stem and two stages frozen',
    'norms': 'batch norms in training mode',
    'together': 'checkpointing, accumulation, bfloat16',
    'all': 'those, and two stages frozen',
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--networks', nargs='+', choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument(
        '--settings', nargs='+', choices=SETTINGS, metavar='SETTING',
        default=[name for name in SETTINGS if name != 'norms'],
        help=f'of {", ".join(SETTINGS)} (default: all but norms)',
    )  # fmt: skip
    parser.add_argument('--batch', type=int, default=2, help='clips of a step (default: 2)')
    parser.add_argument('--steps', type=int, default=2, help='after the first (default: 2)')
    parser.add_argument('--threads', type=int, default=1, help='of the CPU (default: 1)')
    parser.add_argument('--frames', type=int, help='of a clip (default: 8, 16 and 32)')
    parser.add_argument('--crop', type=int, help='pixels (default: 224, 224 and 160)')
    parser.add_argument('--device', default='cpu', help='cpu (default) or cuda:N')
    parser.add_argument('--machine', default=platform.machine(), help='its name in the table')
    parser.add_argument('--out', help='write the tables to this Markdown file too')
    parser.add_argument('--child', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.settings[0] != 'plain':
        args.settings.insert(0, 'plain')  # what the others are compared with
    return args


def options_of(network: str, setting: str, batch: int) -> dict:
    """The --cfg-options of a setting."""
    found = {}
    for place, key, value in SETTINGS[setting]:
        if place == 'config':
            found[key] = batch if value == 'batch' else value
            if value == 'batch':
                found['train_dataloader.batch_size'] = 1
        else:
            for part in NETWORKS[network][2]:
                found[f'model.backbone.{part}{key}'] = value
    return found


def prepare(task: dict):
    """Model, optimizer wrapper and the clips of a step in the portions that they come in."""
    import torch
    from mmaction.registry import MODELS
    from mmaction.structures import ActionDataSample
    from mmengine.config import Config
    from mmengine.logging import MMLogger
    from mmengine.optim import build_optim_wrapper
    from mmengine.registry import init_default_scope

    import mmsal
    import mmsal.training  # noqa: F401

    MMLogger.get_current_instance().setLevel('ERROR')
    init_default_scope('mmaction')
    config = Config.fromfile(FOLDER / NETWORKS[task['network']][1])
    config.merge_from_dict({'train_dataloader.batch_size': task['batch'], **task['options']})
    config.model.cls_head.dropout_ratio = 0
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    model.to(task['device']).train()
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    shape = (1, 3, task['frames'], task['crop'], task['crop'])
    clips = [torch.randint(0, 256, shape, dtype=torch.uint8) for _ in range(task['batch'])]
    samples = [ActionDataSample().set_gt_label(number % 2) for number in range(task['batch'])]
    size = config.train_dataloader.batch_size
    portions = [
        dict(inputs=clips[start : start + size], data_samples=samples[start : start + size])
        for start in range(0, task['batch'], size)
    ]
    return model.train_step, wrapper, portions


def measure(task: dict) -> dict:
    """Seconds and losses of each step, and the memory of all of them in MiB."""
    import copy

    import torch

    train, wrapper, portions = prepare(task)
    torch.set_num_threads(task['threads'])
    on_gpu = task['device'] != 'cpu'
    clock = time.perf_counter if on_gpu else time.process_time
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    else:
        before = int(Path('/proc/self/statm').read_text().split()[1]) * resource.getpagesize()
    seconds, losses = [], []
    for _ in range(task['steps'] + 1):
        started = clock()
        found = [train(copy.deepcopy(portion), wrapper)['loss'].item() for portion in portions]
        if on_gpu:
            torch.cuda.synchronize()
        seconds.append(clock() - started)
        losses.append(sum(found) / len(found))
    if on_gpu:
        peak = torch.cuda.max_memory_allocated()
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return dict(
        seconds=seconds, losses=losses, memory=(peak - before) / 2**20,
        torch=torch.__version__,
        gpu=torch.cuda.get_device_name() if on_gpu else None,
    )  # fmt: skip


def in_new_process(task: dict) -> dict:
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', __file__, '--child', json.dumps(task)],
        capture_output=True, text=True, env={**os.environ, 'OMP_NUM_THREADS': str(task['threads'])},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f'{task}: {done.stderr[-2000:]}')
    return json.loads(done.stdout.splitlines()[-1])


def row(setting: str, options: dict, found: dict, plain: dict) -> str:
    spent, reference = min(found['seconds'][1:]), min(plain['seconds'][1:])
    pairs = list(zip(found['losses'], plain['losses'], strict=True))
    first, last = (abs(ours - theirs) / theirs for ours, theirs in (pairs[0], pairs[-1]))
    lines = '<br>'.join(f'`{key}={value}`' for key, value in options.items())
    return (
        f'| {TITLES[setting]} | {lines} | {spent:.2f} s | {spent / reference:.2f} '
        f'| {found["memory"]:.0f} MiB | {found["memory"] / plain["memory"]:.2f} '
        f'| {first:.0e}, {last:.0e} |'
    )


def table(network: str, args: argparse.Namespace) -> tuple[list[str], dict]:
    title, _, _, frames, crop = NETWORKS[network]
    frames, crop = args.frames or frames, args.crop or crop
    lines = [
        f'### {title}, {args.batch} clips of {frames}x{crop}x{crop}',
        '',
        '| setting | config lines | step | of plain | memory | of plain | loss differs by |',
        '|---|---|---|---|---|---|---|',
    ]
    plain = {}
    for setting in args.settings:
        options = options_of(network, setting, args.batch)
        task = dict(network=network, options=options, frames=frames, crop=crop, batch=args.batch,
                    steps=args.steps, device=args.device, threads=args.threads)  # fmt: skip
        found = in_new_process(task)
        plain = plain or found
        lines.append(row(setting, options, found, plain))
        print(lines[-1], flush=True)
    return [*lines, ''], plain


def main() -> None:
    args = parse_args()
    if args.child:
        print(json.dumps(measure(json.loads(args.child))))
        return
    tables = []
    for network in args.networks:
        lines, about = table(network, args)
        tables += lines
    clock = 'wall time' if about['gpu'] else f'processor time of {args.threads} thread(s)'
    head = (
        f'{about["gpu"] or args.machine}, Python {platform.python_version()}, torch '
        f'{about["torch"]}; SYNTHETIC clips, random weights; {clock}, fastest of {args.steps} '
        'steps. Losses: relative difference from plain at the first step and after '
        f'{args.steps} updates.'
    )
    text = '\n'.join([head, '', *tables])
    print(text)
    if args.out:
        command = shlex.join(['python', 'benchmarks/training.py', *sys.argv[1:]])
        Path(args.out).write_text(f'# Training steps\n\n`{command}`\n\n{text}')


if __name__ == '__main__':
    main()
