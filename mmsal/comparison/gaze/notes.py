"""What the results of a comparison rest on, in words and numbers for its reader."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from mmsal.heatmaps import read_heatmap_meta
from mmsal.version import __version__

LEFT_OUT = {
    'outside': 'outside the picture', 'unseen': 'where a model saw nothing',
    'no_map': 'at times without a map',
}  # fmt: skip
MANY_OUTSIDE = 0.2  # of the fixations: a tracker's error does not carry so many away

Facts = Mapping[str, Mapping[str, Any]]  # by video, of mmsal.comparison.gaze.run.Outcome


def total_counts(facts: Facts) -> dict[str, int]:
    """What became of the fixations of all videos together."""
    totals: dict[str, int] = {}
    for one in facts.values():
        for what, number in one['counts'].items():
            totals[what] = totals.get(what, 0) + number
    return totals


def input_notes(facts: Facts, models: Iterable[str]) -> list[str]:
    """Fixations, frames and maps that do not count, a line each; the first is always there."""
    counts = total_counts(facts)
    told = ', '.join(f'{counts[what]} {LEFT_OUT[what]}' for what in LEFT_OUT if counts[what])
    lines = [
        f'{counts["used"]} of {counts["fixations"]} fixations used'
        + (f'; not used: {told}' if told else '')
    ]
    if counts['outside'] > MANY_OUTSIDE * counts['fixations']:
        lines.append('many fixations lie outside the picture: are they in its pixels?')
    frames = sum(one['frames_left_out'] for one in facts.values())
    if frames:
        lines.append(f'{frames} frames left out, of which only some models have maps')
    maps = sum(one['frames'] for one in facts.values())
    for model in models:
        constant = sum(one['constant_maps'][model] for one in facts.values())
        if constant:
            lines.append(
                f'{model}: {constant} of {maps} maps are the same everywhere; where a metric is '
                'undefined for them, their frames count for no model'
            )
    return lines


def origin(path: Path) -> dict[str, Any]:
    """Where the maps of a model come from, as far as the sidecar of one of its files tells."""
    meta = read_heatmap_meta(path)
    names = ('method', 'target_layers', 'config', 'checkpoint')  # the same for all of its files
    return {name: meta[name] for name in names if meta.get(name) is not None}


def versions() -> dict[str, str]:
    """Of this package and of those that the numbers rest on."""
    packages = ('numpy', 'scipy', 'pandas', 'POT', 'opencv-python')
    return {
        'mmsal': __version__,
        'python': platform.python_version(),
        **{package: metadata.version(package) for package in packages},
    }
