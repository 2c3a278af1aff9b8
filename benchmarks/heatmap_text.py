"""Time the heatmap text format beside numpy.savetxt and numpy.loadtxt, results compared.

Each round times ours and NumPy's one after the other, in processor time, and the ratio is the
median of the rounds' ratios: what else the machine does slows both. Both use one thread. The peak
of memory is by how much reading raises the resident set (VmHWM, Linux only) of a fresh process.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mmsal.heatmaps import HeatmapSequence, read_heatmaps, write_heatmaps

HEADER = 'Frame {} - Heatmap values:\n'
FOREIGN: dict[str, Callable[[float], str]] = {
    "'%.4g'": lambda value: f'{value:.4g}',
    'repr of float32': lambda value: str(np.float32(value)),
    'repr of float64': repr,
    "'%.18e', savetxt's default": lambda value: f'{value:.18e}',
    "'%g', half of them 0": lambda value: f'{max(2 * value - 1, 0):g}',
    "'%g', half of them negative": lambda value: f'{2 * value - 1:g}',
    "'%.2f', 0 to 255": lambda value: f'{255 * value:.2f}',
}


def numpy_write(sequence: HeatmapSequence, path: Path) -> None:
    with path.open('w') as file:
        for index, frame in zip(sequence.frame_indices, sequence.values, strict=True):
            file.write(HEADER.format(index))
            np.savetxt(file, frame, '%.6f')


def numpy_read(path: Path) -> np.ndarray:
    # Headers as comments: one call for the whole file is the fastest that loadtxt can do.
    return np.loadtxt(path, np.float32, comments='Frame')


def foreign_write(values: np.ndarray, style: Callable[[float], str], path: Path) -> None:
    """Write values as another tool would; by Python, one by one."""
    with path.open('w') as file:
        for index, frame in enumerate(values):
            file.write(HEADER.format(index))
            file.writelines(' '.join(map(style, row)) + '\n' for row in frame.tolist())


def compare(
    name: str, ours: Callable[[], object], numpys: Callable[[], object], rounds: int
) -> None:
    """Print the medians of both times, and the median and the range of their ratio."""
    times = []
    for _ in range(rounds):
        marks = [time.process_time()]
        for function in (ours, numpys):
            function()
            marks.append(time.process_time())
        times.append((marks[1] - marks[0], marks[2] - marks[1]))
    ratios = [numpys / ours for ours, numpys in times]
    middle = [statistics.median(column) * 1e3 for column in zip(*times, strict=True)]
    print(
        f'| {name} | {middle[0]:.1f} ms | {middle[1]:.1f} ms | {statistics.median(ratios):.2f} '
        f'| {min(ratios):.2f} to {max(ratios):.2f} |'
    )


def peak_memory(path: Path, reader: str) -> float:
    """Return by how many MiB a reader raises the resident set of a fresh process."""
    code = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from heatmap_text import numpy_read, read_heatmaps
def memory(key):
    return int(Path('/proc/self/status').read_text().split(key)[1].split()[0])
{reader}(Path({str(path.with_name('small.txt'))!r}))
Path('/proc/self/clear_refs').write_text('5')  # forget the peak of the imports
before = memory('VmHWM:')
result = {reader}(Path({str(path)!r}))
print(memory('VmHWM:') - before)
"""
    command = [sys.executable, '-c', code]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return int(output.split()[-1]) / 1024


def run(values: np.ndarray, rounds: int, folder: Path) -> None:
    sequence = HeatmapSequence(values, np.arange(len(values)))
    ours, numpys, foreign = (folder / name for name in ('ours.txt', 'numpy.txt', 'foreign.txt'))
    (folder / 'small.txt').write_text(HEADER.format(0) + '0.5 0.25\n0.125 1\n')

    print('| | ours | NumPy | NumPy / ours, median | range |\n|---|---|---|---|---|')
    compare(
        'write',
        lambda: write_heatmaps(sequence, ours),
        lambda: numpy_write(sequence, numpys),
        rounds,
    )
    if ours.read_bytes() != numpys.read_bytes():
        raise SystemExit('the two writers disagree')
    memory = []
    for name, style in {'our own': None, **FOREIGN}.items():
        path = ours if style is None else foreign
        if style is not None:
            foreign_write(values.astype(np.float64), style, path)
        compare(
            f'read {name}', lambda p=path: read_heatmaps(p), lambda p=path: numpy_read(p), rounds
        )
        if not np.array_equal(read_heatmaps(path).values, numpy_read(path).reshape(values.shape)):
            raise SystemExit('the two readers disagree')
        if name in ('our own', 'repr of float64'):
            peaks = [peak_memory(path, reader) for reader in ('read_heatmaps', 'numpy_read')]
            memory.append((name, path.stat().st_size / 2**20, *peaks))
    print('\n| read | file | ours, peak | NumPy, peak |\n|---|---|---|---|')
    for name, *sizes in memory:
        print(f'| {name} | ' + ' | '.join(f'{size:.1f} MiB' for size in sizes) + ' |')


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('--frames', type=int, default=32, help='number of frames')
    parser.add_argument('--size', type=int, default=224, help='height and width, pixels')
    parser.add_argument('--rounds', type=int, default=9, help='rounds of both')
    parser.add_argument('--seed', type=int, default=0, help='seed of the random values')
    args = parser.parse_args()
    print(
        f'{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, '
        f'NumPy {np.__version__}; {args.frames} frames of {args.size} x {args.size}, '
        f'{args.rounds} rounds\n'
    )
    shape = (args.frames, args.size, args.size)
    values = np.random.default_rng(args.seed).random(shape, dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        run(values, args.rounds, Path(folder))


if __name__ == '__main__':
    main()
