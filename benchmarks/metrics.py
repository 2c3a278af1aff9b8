"""Saliency metrics: ours beside the published codes, on the same numbers, in one run.

    python benchmarks/metrics.py [--frames 1000] [--theirs 20] [--out results.md]

Theirs are pysaliency 0.2.22's own functions where it has them, else loops as in the code of the MIT
Saliency Benchmark (tests/metrics/oracle.py), and pyemd for EMD. For a fair comparison

    pip install --no-deps --target DIR numba llvmlite pyemd

and put DIR on PYTHONPATH: without numba pysaliency's AUCs are plain Python, without pyemd EMD is
beside POT on all cells. Maps and fixations are SYNTHETIC: blobs that move, with noise, and 17
observers who follow them. Frames are made one by one and not timed. One thread; seconds are
processor time.
"""

import os

os.environ.setdefault('OMP_NUM_THREADS', '1')

import argparse
import cProfile
import pstats
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
from measuring import in_turn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from mmsal.metrics import METRICS, OtherFixations, score_map  # noqa: E402
from tests.metrics import oracle  # noqa: E402

SIZE = (360, 640)
OBSERVERS = 17
RANDOM = {('AUC-Judd', 'mit'), ('AUC-Judd', 'tuebingen'), ('AUC-Borji', 'mit'), ('sAUC', 'mit')}
ROUNDS = 3
PAIRS = [(name, way) for name, metric in METRICS.items() for way in metric.conventions]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--frames', type=int, default=1000, help='ours (default: 1000)')
    parser.add_argument('--theirs', type=int, default=20, help='frames of theirs (default: 20)')
    parser.add_argument('--out', help='write the tables to this Markdown file too')
    return parser.parse_args()


@dataclass
class Frame:
    """One SYNTHETIC frame."""

    saliency: np.ndarray
    points: np.ndarray
    density: np.ndarray

    @property
    def hit(self) -> np.ndarray:
        """bool [H, W]."""
        hit = np.zeros(SIZE, bool)
        x, y = self.points.astype(int).T
        hit[y, x] = True
        return hit


def looked(random: np.random.Generator, frame: int, observers: int) -> np.ndarray:
    """Where the observers of a frame look: near one of three blobs, which move."""
    blobs = blobs_of(frame)[random.integers(0, 3, observers)]
    points = blobs + random.normal(0, 30, (observers, 2))
    return np.clip(points, 0, np.array(SIZE[::-1]) - 0.01)


def blobs_of(frame: int) -> np.ndarray:
    phases = frame / 50 + np.arange(3)[:, None] * 2
    steps = np.concatenate([np.cos(phases), np.sin(1.3 * phases)], axis=1)
    return (0.5 + 0.35 * steps) * SIZE[::-1]


def make_frame(frame: int, observers: int = OBSERVERS) -> Frame:
    random = np.random.default_rng(frame)
    points = looked(random, frame, observers)
    saliency = np.zeros(SIZE, np.float32)
    for x, y in blobs_of(frame + 5):
        saliency[int(y), int(x)] += 1
    saliency = cv2.GaussianBlur(saliency, (0, 0), 40)
    coarse = random.random((23, 40), np.float32)
    saliency = saliency / saliency.max() + 0.3 * cv2.resize(coarse, SIZE[::-1])
    density = np.zeros(SIZE, np.float64)
    np.add.at(density, tuple(points.astype(int).T[::-1]), 1)
    return Frame(saliency / saliency.max(), points, cv2.GaussianBlur(density, (0, 0), 25))


def centre() -> np.ndarray:
    y, x = np.indices(SIZE)
    return np.exp(-(((x - 320) / 120) ** 2 + ((y - 180) / 70) ** 2) / 2)


class Theirs:
    """The published codes, one function for each metric and convention."""

    def __init__(self, other: list[np.ndarray]) -> None:
        self.other, self.every, self.baseline = other, np.concatenate(other), centre()
        self.random = np.random.default_rng(0)
        self.notes = []
        self.maps = oracle.pysaliency_module('metrics.py')
        self.rocs = oracle.pysaliency_module('numba_utils.py', self._optional('numba'))
        self.pyemd = self._optional('pyemd')

    def _optional(self, name: str):
        try:
            module = __import__(name)
        except ImportError:
            self.notes.append(f'without {name}')
            return None
        self.notes.append(f'{name} {metadata.version(name)}')
        return module

    def measure(self, name: str, way: str, frame: Frame) -> float:
        return getattr(self, f'{name}_{way}'.replace('-', '_').lower())(frame)

    def auc_tuebingen(self, frame):
        return oracle.auc_by_pysaliency(self.rocs, frame.saliency, frame.points)

    def auc_judd_mit(self, frame):
        noise = self.random.random(SIZE) / 10_000_000
        return oracle.judd_by_mit(frame.saliency, frame.hit, noise)

    def auc_judd_tuebingen(self, frame):
        noise = self.random.standard_normal(SIZE) / 10_000_000
        return oracle.judd_by_pysaliency(self.rocs, frame.saliency, frame.points, noise)

    def auc_borji_mit(self, frame):
        hit = frame.hit
        drawn = self.random.integers(0, hit.size, (hit.sum(), 100))
        return oracle.borji_by_mit(frame.saliency.astype(float), hit, drawn)

    def sauc_mit(self, frame):
        hit = np.zeros(SIZE, bool)
        for number in self.random.choice(len(self.other), 10, replace=False):
            x, y = self.other[number].astype(int).T
            hit[y, x] = True
        return oracle.shuffled_by_mit(frame.saliency.astype(float), frame.hit, hit, self.random)

    def sauc_tuebingen(self, frame):
        return oracle.auc_by_pysaliency(self.rocs, frame.saliency, frame.points, self.every)

    def nss_mit(self, frame):
        return oracle.nss_by_mit(frame.saliency.astype(float), frame.hit)

    def nss_tuebingen(self, frame):
        return float(self.maps.NSS(frame.saliency, *frame.points.T).mean())

    def ig_tuebingen(self, frame):
        return oracle.gain_by_pysaliency(self.maps, frame.saliency, frame.points, self.baseline)

    def cc_mit(self, frame):
        first, second = frame.saliency.astype(float), frame.density
        first = (first - first.mean()) / first.std(ddof=1)
        second = (second - second.mean()) / second.std(ddof=1)
        return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])

    def cc_tuebingen(self, frame):
        return float(self.maps.CC(frame.saliency.astype(float), frame.density))

    def sim_mit(self, frame):
        return oracle.sim_by_mit(frame.saliency.astype(float), frame.density)

    def sim_tuebingen(self, frame):
        return float(self.maps.SIM(frame.saliency.astype(float), frame.density))

    def kld_mit(self, frame):
        return oracle.kld_by_mit(frame.saliency.astype(float), frame.density)

    def kld_tuebingen(self, frame):
        with np.errstate(divide='ignore'):
            return float(self.maps.MIT_KLDiv(frame.saliency.astype(float), frame.density))

    def emd_mit(self, frame):
        y, x = (index.ravel() for index in np.indices((12, 20)))  # in each call, as EMD.m
        distances = np.hypot(y[:, None] - y, x[:, None] - x)
        cells = []
        for one in (frame.saliency.astype(float), frame.density):
            whole = np.zeros((384, 640))
            whole[:360] = one / one.sum()
            cells.append(whole.reshape(12, 32, 20, 32).sum(axis=(1, 3)).ravel())
        if self.pyemd is not None:
            return float(self.pyemd.emd(*cells, distances))
        import ot

        return float(ot.emd2(cells[0], cells[1] * (cells[0].sum() / cells[1].sum()), distances))


def clocked(call: Callable, rounds: int = 1) -> tuple[float, object]:
    """Processor time, the least of some rounds, as other work on the machine only adds to it; and
    the result."""
    spent = []
    for _ in range(rounds):
        started = time.process_time()
        result = call()
        spent.append(time.process_time() - started)
    return min(spent), result


class Ours:
    """score_map, with what a video needs once."""

    def __init__(self, other: list[np.ndarray]) -> None:
        self.other, self.baseline = OtherFixations(other, SIZE), centre()

    def measure(self, frame: Frame, number: int, **asked) -> dict:
        return score_map(
            frame.saliency, fixations=frame.points, density=frame.density, other=self.other,
            baseline=self.baseline, seed=(0, number), **asked,
        )  # fmt: skip


def metric_by_metric(ours: Ours, theirs: Theirs, frames: int) -> tuple[list[str], float, float]:
    """Rows of the table, and seconds per frame of the whole set, ours and theirs."""
    spent = {pair: ([], []) for pair in PAIRS}
    values = {pair: ([], []) for pair in PAIRS}
    whole = []
    for number in range(-1, frames):  # the first one warms up
        frame = make_frame(number + 1)
        whole.append(clocked(lambda f=frame, n=number: ours.measure(f, n + 1), ROUNDS)[0])
        for name, way in PAIRS:
            asked = dict(metrics=(name,), conventions=(way,))
            results = (
                clocked(lambda f=frame, n=number, a=asked: ours.measure(f, n + 1, **a), ROUNDS),
                clocked(lambda f=frame, n=name, w=way: theirs.measure(n, w, f), ROUNDS),
            )
            if number < 0:
                continue
            for side, (seconds, value) in enumerate(results):
                spent[name, way][side].append(seconds)
                values[name, way][side].append(value if side else value[name, way])
    rows = []
    for name, way in PAIRS:
        first, second = (1000 * np.median(side) for side in spent[name, way])
        gaps = np.subtract(*values[name, way])
        worst = f'{np.abs(gaps).max():.1e}'
        if (name, way) in RANDOM:
            error = gaps.std() / np.sqrt(len(gaps))
            worst = f'random; mean {gaps.mean():.0e} (standard error {error:.0e})'
        rows.append(
            f'| {name} | {way} | {first:.2f} | {second:.2f} | {second / first:.1f} | {worst} |'
        )
    total = sum(np.median(spent[pair][1]) for pair in PAIRS)
    return rows, float(np.median(whole[1:])), float(total)


def growth_with_frames(ours: Ours, frames: int) -> tuple[list[str], str]:
    """Seconds of the whole set for more and more frames; and the profile of that."""
    marks = sorted({max(frames // 10, 1), max(frames // 3, 1), frames})
    rows, spent, profile = [], 0.0, cProfile.Profile()
    for number in range(frames):
        frame = make_frame(number)
        spent += clocked(lambda frame=frame, number=number: ours.measure(frame, number))[0]
        if number < 200:
            profile.runcall(ours.measure, frame, number)
        if number + 1 in marks:
            rows.append(f'| {number + 1} | {spent:.2f} | {1000 * spent / (number + 1):.2f} |')
    stats = pstats.Stats(profile)
    total, lines = stats.total_tt, []
    kept = sorted(stats.stats.items(), key=lambda item: -item[1][3])
    for (file, _, function), (_, _, _, cumulative, _) in kept:
        if 'mmsal' in file and '<lambda>' not in function and cumulative < 0.999 * total:
            lines.append(f'{100 * cumulative / total:4.0f}%  {Path(file).stem}.{function}')
    return rows, '\n'.join(lines[:16])


def growth_with_fixations(ours: Ours, theirs: Theirs) -> list[str]:
    rows = []
    for observers in (1, 17, 170, 1700, 17000):
        frame = make_frame(3, observers)
        first = clocked(lambda f=frame: ours.measure(f, 0), ROUNDS)[0]
        second = sum(
            clocked(lambda p=pair, f=frame: theirs.measure(*p, f), ROUNDS)[0] for pair in PAIRS
        )
        rows.append(
            f'| {observers} | {1000 * first:.1f} | {1000 * second:.0f} | {second / first:.0f} |'
        )
    return rows


def main() -> None:
    args = parse_args()
    other = [make_frame(10_000 + number).points for number in range(999)]
    ours, theirs = Ours(other), Theirs(other)
    rows, first, second = metric_by_metric(ours, theirs, args.theirs)
    frame = make_frame(1)
    memory = in_turn(
        {
            'ours': lambda: ours.measure(frame, 1),
            'theirs': lambda: [theirs.measure(*pair, frame) for pair in PAIRS],
        },
        rounds=1,
    )
    by_frames, profile = growth_with_frames(ours, args.frames)
    text = '\n'.join(
        [
            f'SYNTHETIC maps of 640x360 pixels (float32), {OBSERVERS} observers, 999 other frames. '
            f'Python {sys.version.split()[0]}, numpy {np.__version__}, one thread; '
            f'pysaliency {oracle.VERSION}, {", ".join(theirs.notes)}.',
            '',
            f'Milliseconds per frame: of each frame the least of {ROUNDS} rounds, then the median '
            f'of {args.theirs} frames.',
            '',
            '| metric | convention | mmsal | theirs | times faster | values differ by |',
            '|---|---|---|---|---|---|',
            *rows,
            f'| whole set | | {1000 * first:.2f} | {1000 * second:.2f} | {second / first:.1f} | |',
            '',
            f'Memory of one frame, whole set: {memory["ours"].memory:.0f} MiB, theirs '
            f'{memory["theirs"].memory:.0f} MiB.',
            '',
            '| frames, each once | mmsal, s | ms per frame |',
            '|---|---|---|',
            *by_frames,
            '',
            f'Theirs would take {args.frames * second:.0f} s for {args.frames} frames '
            f'(from {args.theirs}).',
            '',
            '| fixations per frame | mmsal, ms | theirs, ms | times faster |',
            '|---|---|---|---|',
            *growth_with_fixations(ours, theirs),
            '',
            'Profile of the whole set, first 200 frames:',
            '',
            '```',
            profile,
            '```',
        ]
    )
    print(text)
    if args.out:
        command = f'python benchmarks/metrics.py --frames {args.frames} --theirs {args.theirs}'
        Path(args.out).write_text(f'# Saliency metrics\n\n`{command}`\n\n{text}\n')


if __name__ == '__main__':
    main()
