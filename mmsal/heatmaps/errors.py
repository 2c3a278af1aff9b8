"""The one error of this room: a heatmap file that cannot be trusted."""

from __future__ import annotations

from pathlib import Path


class HeatmapFormatError(ValueError):
    """A heatmap file, or its sidecar, is not in a supported format.

    Args:
        path: The faulty file.
        fault: What is wrong with it.
        line: Line of the fault, counted from 1; None where the fault has no line.
    """

    def __init__(self, path: str | Path, fault: str, line: int | None = None) -> None:
        # All three go to `args`, so that the error survives the way back from a worker process.
        super().__init__(str(path), fault, line)
        self.path = str(path)
        self.fault = fault
        self.line = line

    def __str__(self) -> str:
        where = self.path if self.line is None else f'{self.path}, line {self.line}'
        return f'{where}: {self.fault}'
