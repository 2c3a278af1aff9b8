"""Time the heatmap text format beside numpy.savetxt and numpy.loadtxt, results compared."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mmsal.heatmaps import HeatmapSequence, read_heatmaps, write_heatmaps


def numpy_write(sequence: HeatmapSequence, path: Path) -> None:
    with path.open('wb') as file:
        for index, frame in zip(sequence.frame_indices, sequence.values, strict=True):
            file.write(b'Frame %d - Heatmap values:\n' % index)
            np.savetxt(file, frame, '%.6f')


def numpy_read(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    # Headers as comments: one call for the whole file is the fastest that loadtxt can do.
    return np.loadtxt(path, np.float32, comments='Frame').reshape(shape)


def best_time(function: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def report(name: str, ours: float, numpys: float) -> None:
    print(f'{name:<28}{ours * 1e3:>10.1f}{numpys * 1e3:>12.1f}{numpys / ours:>9.1f}x')


def run(shape: tuple[int, int, int], repeats: int, seed: int, folder: Path) -> None:
    values = np.random.default_rng(seed).random(shape, dtype=np.float32)
    sequence = HeatmapSequence(values, np.arange(shape[0]))
    ours, numpys, loose = (folder / name for name in ('ours.txt', 'numpy.txt', 'loose.txt'))

    print(f'{"best of " + str(repeats):<28}{"ours, ms":>10}{"numpy, ms":>12}{"ratio":>10}')
    write_time = best_time(lambda: write_heatmaps(sequence, ours), repeats)
    report('write', write_time, best_time(lambda: numpy_write(sequence, numpys), repeats))
    if ours.read_bytes() != numpys.read_bytes():
        raise SystemExit('the two writers disagree')

    loose.write_bytes(ours.read_bytes().replace(b'0.0', b'.0'))  # no fixed width: the general path
    for name, path in (('read', ours), ('read, uneven number widths', loose)):
        read_time = best_time(lambda path=path: read_heatmaps(path), repeats)
        report(name, read_time, best_time(lambda path=path: numpy_read(path, shape), repeats))
        if not np.array_equal(read_heatmaps(path).values, numpy_read(path, shape)):
            raise SystemExit('the two readers disagree')


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('--frames', type=int, default=32, help='number of frames')
    parser.add_argument('--size', type=int, default=224, help='height and width, pixels')
    parser.add_argument('--repeats', type=int, default=5, help='runs; the best one counts')
    parser.add_argument('--seed', type=int, default=0, help='seed of the random values')
    args = parser.parse_args()
    print(
        f'{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, '
        f'NumPy {np.__version__}'
    )
    print(f'{args.frames} frames of {args.size} x {args.size}, 6 decimals, uncompressed')
    with tempfile.TemporaryDirectory() as folder:
        run((args.frames, args.size, args.size), args.repeats, args.seed, Path(folder))


if __name__ == '__main__':
    main()
