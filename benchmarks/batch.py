"""A list of short clips by one process, beside a shell loop that starts vis_cam.py once per clip.

    python benchmarks/batch.py [--clips 40] [--out results.md]

The clips are SYNTHETIC (64 frames of 160x120), the network the CNN-LSTM of configs/kth with random
weights: what is timed does not depend on either being any good. The files must be the same, byte by
byte, sidecars included.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / 'configs/kth/cnnlstm_r18_1xb8-30x1x1-30e_kth-rgb.py'
VIS_CAM = ROOT / 'tools/visualizations/vis_cam.py'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--clips', type=int, default=40, help='how many (default: 40)')
    parser.add_argument('--out', help='write the table to this Markdown file too')
    return parser.parse_args()


def prepare(folder: Path, clips: int) -> tuple[Path, list[Path]]:
    """A checkpoint with random weights, and clips."""
    import numpy as np
    import torch
    from mmaction.registry import MODELS
    from mmaction.utils import register_all_modules
    from mmengine.config import Config
    from mmengine.logging import MMLogger

    import mmsal  # noqa: F401
    from mmsal.visualization import write_video

    register_all_modules()
    MMLogger.get_current_instance().setLevel('ERROR')
    settings = Config.fromfile(CONFIG).model
    torch.manual_seed(0)
    checkpoint = folder / 'random.pth'
    torch.save(dict(state_dict=MODELS.build(settings).state_dict(), meta={}), checkpoint)
    generator = np.random.default_rng(0)
    names = []
    for number in range(clips):
        coarse = generator.integers(0, 255, (64, 12, 16, 1), np.uint8)
        frames = coarse.repeat(10, axis=1).repeat(10, axis=2).repeat(3, axis=3)
        names.append(folder / f'clip{number:02}.mp4')
        write_video(frames, names[-1], 25)
    return checkpoint, names


def run(*arguments) -> float:
    """Seconds of one command."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, VIS_CAM, CONFIG, *map(str, arguments)],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return time.perf_counter() - started


def main() -> None:
    args = parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint, clips = prepare(folder, args.clips)
        listed = folder / 'list.txt'
        listed.write_text(''.join(f'{clip}\n' for clip in clips))
        (folder / 'loop').mkdir()
        loop = sum(
            run(checkpoint, clip, '--file-url', folder / 'loop' / f'{clip.stem}.txt')
            for clip in clips
        )
        rows = []
        for workers in (0, 1, 2):
            out = folder / f'list{workers}'
            spent = run(checkpoint, listed, '--file-url', out, '--workers', workers)
            for path in (folder / 'loop').iterdir():
                assert path.read_bytes() == (out / path.name).read_bytes(), f'{path.name} differs'
            rows.append(f'| list, {workers} workers | {spent:.1f} s | {loop / spent:.1f} |')
    text = '\n'.join(
        [
            f'{args.clips} clips, {platform.machine()}, {len(os.sched_getaffinity(0))} cores, '
            f'Python {platform.python_version()}. Same files, byte by byte.',
            '',
            '| | time | times faster |',
            '|---|---|---|',
            f'| shell loop | {loop:.1f} s | 1 |',
            *rows,
        ]
    )
    print(text)
    if args.out:
        Path(args.out).write_text(f'# Lists of clips\n\n`python benchmarks/batch.py`\n\n{text}\n')


if __name__ == '__main__':
    main()
