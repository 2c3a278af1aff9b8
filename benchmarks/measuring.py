"""Time and memory of calls that do the same work, taken in turn."""

import ctypes
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Measured:
    """What one call took.

    Attributes:
        seconds: Of each round.
        cpu_seconds: Of each round, all threads together; the less disturbed figure where other
            work shares the machine.
        memory: Largest growth of the process (CPU) or of torch's memory (GPU) in a call, MiB.
        result: Of the last round.
    """

    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    memory: float = 0.0
    result: Any = None

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.seconds)

    @property
    def cpu_median(self) -> float:
        """CPU seconds."""
        return statistics.median(self.cpu_seconds)

    def ratio(self, other: 'Measured') -> float:
        """How many times longer the other took: the median over rounds."""
        return _median_ratio(self.seconds, other.seconds)

    def cpu_ratio(self, other: 'Measured') -> float:
        """As :meth:`ratio`, of CPU seconds."""
        return _median_ratio(self.cpu_seconds, other.cpu_seconds)

    def add(self, call: Callable, device: str = 'cpu') -> None:
        """Time one more round."""
        started, cpu_started = time.perf_counter(), time.process_time()
        self.result = call()
        _finish(device)
        self.seconds.append(time.perf_counter() - started)
        self.cpu_seconds.append(time.process_time() - cpu_started)


def _median_ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(their / our for their, our in zip(theirs, ours, strict=True))


def in_turn(calls: dict[str, Callable], rounds: int, device: str = 'cpu') -> dict[str, Measured]:
    """Run the calls round by round, so that a machine that slows down slows them all.

    A first round, which is not timed, warms up; a second, not timed either, measures memory.
    """
    found = {name: Measured() for name in calls}
    for call in calls.values():
        call()
        _finish(device)
    for name, call in calls.items():
        found[name].memory, found[name].result = memory_of(call, device)
    for _ in range(rounds):
        for name, call in calls.items():
            found[name].add(call, device)
    return found


def _finish(device: str) -> None:
    if device != 'cpu':
        import torch

        torch.cuda.synchronize()


def memory_of(call: Callable, device: str = 'cpu') -> tuple[float, Any]:
    """Largest growth of the process (CPU) or of torch's memory (GPU) in a call, MiB; its result.

    Of a process whose memory has been used and freed before, the C library may keep some, and hand
    it out again unseen; a fresh process with ``MALLOC_MMAP_THRESHOLD_=65536`` in its environment
    gives back every tensor at once.
    """
    if device != 'cpu':
        import torch

        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        result = call()
        torch.cuda.synchronize()
        return (torch.cuda.max_memory_allocated() - before) / 2**20, result
    ctypes.CDLL('libc.so.6').malloc_trim(0)
    Path('/proc/self/clear_refs').write_text('5')  # the peak starts anew from what there is
    before = _resident('VmRSS')
    result = call()
    return (_resident('VmHWM') - before) / 2**10, result


def _resident(figure: str) -> int:
    """KiB: ``VmRSS`` is now, ``VmHWM`` the peak."""
    return int(re.search(rf'{figure}:\s+(\d+) kB', Path('/proc/self/status').read_text())[1])
