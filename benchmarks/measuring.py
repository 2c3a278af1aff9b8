"""Time and memory of calls that do the same work, taken in turn."""

import ctypes
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE = 4096


@dataclass
class Measured:
    """What one call took.

    Attributes:
        seconds: Of each round.
        memory: Largest growth of the process (CPU) or of torch's memory (GPU) in a call, MiB.
        result: Of the last round.
    """

    seconds: list[float]
    memory: float
    result: Any

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.seconds)

    def ratio(self, other: 'Measured') -> float:
        """How many times longer the other took: the median over rounds."""
        pairs = zip(other.seconds, self.seconds, strict=True)
        return statistics.median(theirs / ours for theirs, ours in pairs)


def in_turn(calls: dict[str, Callable], rounds: int, device: str = 'cpu') -> dict[str, Measured]:
    """Run the calls round by round, so that a machine that slows down slows them all.

    The first round warms up; in the second, which is not timed, memory is measured.
    """
    found = {name: Measured([], 0.0, None) for name in calls}
    for number in range(rounds + 2):
        for name, call in calls.items():
            if number == 1:
                found[name].memory, found[name].result = _memory(call, device)
                continue
            started = time.perf_counter()
            found[name].result = call()
            _finish(device)
            if number:
                found[name].seconds.append(time.perf_counter() - started)
    return found


def _finish(device: str) -> None:
    if device != 'cpu':
        import torch

        torch.cuda.synchronize()


def _memory(call: Callable, device: str) -> tuple[float, Any]:
    if device != 'cpu':
        import torch

        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        result = call()
        torch.cuda.synchronize()
        return (torch.cuda.max_memory_allocated() - before) / 2**20, result
    ctypes.CDLL('libc.so.6').malloc_trim(0)  # so that memory freed before is not used unseen
    with _Watch() as watch:
        result = call()
    return watch.growth, result


class _Watch:
    """Looks at the process's resident memory every two milliseconds."""

    def __enter__(self) -> '_Watch':
        self.before = self.peak = _resident()
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()
        return self

    def _look(self) -> None:
        while not self.done.wait(0.002):
            self.peak = max(self.peak, _resident())

    def __exit__(self, *exc_info) -> None:
        self.done.set()
        self.thread.join()
        self.peak = max(self.peak, _resident())

    @property
    def growth(self) -> float:
        """MiB."""
        return (self.peak - self.before) / 2**20


def _resident() -> int:
    return int(Path('/proc/self/statm').read_text().split()[1]) * PAGE
