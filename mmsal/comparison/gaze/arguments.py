"""Options of the command line that take more than a number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mmsal.comparison.flow.folder import name_models

_SIGMA = re.compile(r'(?P<number>(\d+\.?\d*|\.\d+)(e-?\d+)?)\s*(?P<unit>px|deg)', re.IGNORECASE)


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
    """Folders by model name, in the order given.

    Args:
        entries: ``NAME=DIR``, or ``DIR``, which is called as its folder is.

    Raises:
        ValueError: A folder is not named, is not there or is given twice, or two have one name.
    """
    given: list[tuple[str | None, Path]] = []
    taken = set()
    for entry in entries:
        name, equals, folder = entry.partition('=')
        if not equals or Path(entry).is_dir():  # a folder may have an equals sign in its name
            name, folder = None, entry
        elif not name or name in taken:
            raise ValueError(f'expected a name of its own before =, got {entry!r}')
        if not folder:  # an empty path would be the current folder
            raise ValueError(f'expected a folder of heatmaps, got {entry!r}')
        taken.add(name)
        given.append((name, Path(folder)))
    name_models([folder for _, folder in given])  # they are there, and different
    own_names = iter(name_models([folder for name, folder in given if name is None]).items())
    models: dict[str, Path] = {}
    for name, folder in given:
        if name is None:
            name, folder = next(own_names)
            if name in taken:
                raise ValueError(f'two folders are called {name}: name them with NAME=DIR')
        models[name] = folder
    return models
