"""How names, numbers and pages become files that are safe to open."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

PACKAGE = 'mmsal.comparison.report'


def slugs(names: Iterable[str]) -> dict[str, str]:
    """For every name one that is safe in a file name and a link, each different from the others.

    Only ``a-z``, ``0-9`` and ``-`` are in it, at most 64 characters, so that no file system takes
    two of them for the same.
    """
    given: dict[str, str] = {}
    taken = set()
    for name in dict.fromkeys(names):
        ascii_only = unicodedata.normalize('NFKD', name).encode('ascii', 'ignore').decode()
        slug = first = re.sub('[^a-z0-9]+', '-', ascii_only.lower()).strip('-')[:56] or 'video'
        number = 1
        while slug in taken:
            number += 1
            slug = f'{first}-{number}'
        taken.add(slug)
        given[name] = slug
    return given


def rounded(values: Iterable[float], digits: int = 4) -> list[float]:
    """Floats with so many significant digits; NaN and infinities stay."""
    return [float(f'{value:.{digits}g}') for value in np.asarray(values, dtype=float).tolist()]


def write_script(path: Path, name: str, value: object) -> None:
    """Write a script that sets ``mmsal.NAME``.

    Data goes into scripts because browsers do not let a page from disk fetch files. NaN and
    Infinity are JavaScript as Python's JSON writes them. All that could end a script element or a
    string is escaped.
    """
    text = json.dumps(value, ensure_ascii=True, separators=(',', ':'))
    text = text.replace('<', '\\u003c').replace('>', '\\u003e').replace('&', '\\u0026')
    lines = f'window.mmsal = window.mmsal || {{}};\nmmsal.{name} = {text};\n'
    path.write_text(lines, encoding='ascii')


def write_html(path: Path, template: str, **context: object) -> None:
    """Render one of the templates; everything that is put in is escaped."""
    text = _templates().get_template(template).render(**context)
    # A file name that is not UTF-8 has surrogates in it, which cannot be encoded.
    path.write_text(text, encoding='utf-8', errors='xmlcharrefreplace')


def copy_static(folder: Path) -> None:
    """Copy styles and scripts into ``folder``."""
    folder.mkdir()
    for item in (resources.files(PACKAGE) / 'static').iterdir():
        if item.name.endswith(('.css', '.js')):
            (folder / item.name).write_bytes(item.read_bytes())


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader(PACKAGE, 'templates'),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
