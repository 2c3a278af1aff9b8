"""Which models, levels, references, conventions and metrics a report has, in the order shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from mmsal.comparison.report.metric_notes import CONVENTION_TITLES, LEVEL_TITLES, METRIC_NOTES
from mmsal.comparison.yardsticks import (
    ALL_OBSERVERS,
    EACH_OBSERVER,
    LOWER_IS_BETTER,
    YARDSTICKS,
)

SUMMARY_COLUMNS = (
    'model', 'reference', 'level', 'metric', 'convention', 'mean', 'low', 'high', 'videos',
    'undefined', 'share_of_ceiling', 'share_low', 'share_high',
)  # fmt: skip
PAIR_COLUMNS = (
    'model', 'other', 'reference', 'level', 'metric', 'convention', 'difference', 'low', 'high',
    'p', 'p_corrected', 'effect_size', 'probability', 'videos',
)  # fmt: skip


@dataclass(frozen=True)
class Axes:
    """Values of the key columns, each in the order in which the report shows them.

    Attributes:
        models: The user's, then the yardsticks.
        references: Of the report's switch; single observers are left to the tables on disk.
        levels: Of the switch: 'video', 'window', 'static'.
        conventions: Of the switch.
        metrics: Names.
    """

    models: tuple[str, ...]
    references: tuple[str, ...]
    levels: tuple[str, ...]
    conventions: tuple[str, ...]
    metrics: tuple[str, ...]

    @property
    def own(self) -> tuple[str, ...]:
        """The user's models."""
        return tuple(model for model in self.models if model not in YARDSTICKS)

    @property
    def yardsticks(self) -> tuple[str, ...]:
        """The yardsticks that the summary has."""
        return tuple(model for model in self.models if model in YARDSTICKS)

    def describe(self) -> dict:
        """All of it for the scripts of the pages."""
        return {
            'models': [
                {'name': model, 'yardstick': model in YARDSTICKS} for model in self.models
            ],
            'references': list(self.references),
            'levels': [[level, LEVEL_TITLES.get(level, level)] for level in self.levels],
            'conventions': [[name, CONVENTION_TITLES.get(name, name)] for name in self.conventions],
            'metrics': [
                {'name': metric, 'lowerIsBetter': metric in LOWER_IS_BETTER}
                for metric in self.metrics
            ],
        }  # fmt: skip


def find_axes(summary: pd.DataFrame) -> Axes:
    """What the summary has.

    Args:
        summary: With :data:`SUMMARY_COLUMNS`.

    Returns:
        Its models, references, levels, conventions and metrics.

    Raises:
        ValueError: A column is absent, or there is no row.
    """
    check_columns('summary', summary, SUMMARY_COLUMNS)
    if summary.empty:
        raise ValueError('expected a summary with rows, got none')

    def ordered(column: str, first: Iterable[str], last: Iterable[str] = ()) -> tuple[str, ...]:
        there = list(map(str, summary[column].unique()))
        head = [name for name in first if name in there]
        tail = [name for name in last if name in there]
        return (*head, *(name for name in there if name not in (*head, *tail)), *tail)

    return Axes(
        models=ordered('model', (), YARDSTICKS),
        references=ordered('reference', (ALL_OBSERVERS, EACH_OBSERVER)),
        levels=ordered('level', LEVEL_TITLES),
        conventions=ordered('convention', CONVENTION_TITLES),
        metrics=ordered('metric', METRIC_NOTES),
    )


def check_columns(name: str, frame: pd.DataFrame, wanted: Sequence[str]) -> None:
    """Refuse a table that lacks a column.

    Raises:
        ValueError: One is absent.
    """
    absent = [column for column in wanted if column not in frame.columns]
    if absent:
        raise ValueError(
            f'expected {name} with the columns {", ".join(wanted)}; absent: {", ".join(absent)}'
        )
