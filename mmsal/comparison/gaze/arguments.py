"""Options of the command line that take more than a number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mmsal.comparison.flow.folder import name_models

_SIGMA = re.compile(r'(?P<number>[\d.]+(e-?\d+)?)\s*(?P<unit>px|deg)', re.IGNORECASE)


def parse_sigma(text: str | None, pixels_per_degree: float | None = None) -> float | None:
    """Pixels of a standard deviation given as ``20px`` or ``1deg``; None for None.

    Raises:
        ValueError: Something else, or degrees without ``pixels_per_degree``.
    """
    if text is None:
        if pixels_per_degree is not None:
            raise ValueError('--pixels-per-degree is for a --sigma in degrees, such as 1deg')
        return None
    found = _SIGMA.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'expected --sigma like 20px or 1deg, got {text!r}')
    number = float(found['number'])
    if found['unit'].lower() == 'px':
        return number
    if pixels_per_degree is None:
        raise ValueError('a --sigma in degrees needs --pixels-per-degree')
    if not 0 < pixels_per_degree < float('inf'):
        raise ValueError(f'expected positive --pixels-per-degree, got {pixels_per_degree}')
    return number * pixels_per_degree


def parse_models(entries: Sequence[str]) -> dict[str, Path]:
    """Folders by model name, from ``NAME=DIR`` or ``DIR``, which is called as its folder is.

    Raises:
        ValueError: A folder is not there or is given twice, or two have one name.
    """
    given: dict[str, Path] = {}
    unnamed = []
    for entry in entries:
        name, equals, folder = entry.partition('=')
        if not equals or Path(entry).is_dir():  # a folder may have an equals sign in its name
            unnamed.append(Path(entry))
            continue
        if not name or name in given:
            raise ValueError(f'expected a name of its own before =, got {entry!r}')
        given[name] = Path(folder)
    name_models([*given.values(), *unnamed])  # they are there, and different
    for name, folder in name_models(unnamed).items() if unnamed else ():
        if name in given:
            raise ValueError(f'two folders are called {name}: name them with NAME=DIR')
        given[name] = folder
    return given
