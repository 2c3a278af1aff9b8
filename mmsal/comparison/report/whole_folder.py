"""A folder that appears complete or not at all."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from mmsal.heatmaps.atomic import is_running

LITTER = ('.DS_Store', 'Thumbs.db', 'desktop.ini')  # which file managers leave where they look


@contextmanager
def whole_folder(target: Path, own: Collection[str]) -> Iterator[Path]:
    """Yield an empty hidden folder beside the target; move it into place when the body succeeds.

    When the body fails, the target is what it was. What a process that was killed has left of the
    same target is removed, or put back where it was killed between its last two moves.

    Args:
        target: The folder to appear. Its parents are made.
        own: What such a folder has in it; an earlier one with nothing else in it is replaced.

    Yields:
        The folder to write into.

    Raises:
        FileExistsError: The target is a file, or a folder with something else in it.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100  resolve() would follow a link
    if target.exists():
        check_own(target, own)
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    new = target.with_name(f'.{target.name}.tmp-{os.getpid()}')
    earlier = target.with_name(f'.{target.name}.old-{os.getpid()}')
    new.mkdir()
    try:
        yield new
        if target.exists():
            check_own(target, own)
            target.rename(earlier)
        try:
            new.rename(target)
        except BaseException:
            if earlier.exists():
                earlier.rename(target)
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
        if target.exists():
            shutil.rmtree(earlier, ignore_errors=True)


def check_own(folder: Path, own: Collection[str]) -> None:
    """Refuse a folder with anything in it that would be lost if it were replaced.

    Raises:
        FileExistsError: It is no folder, or has something else in it than ``own``.
    """
    if not folder.is_dir():
        raise FileExistsError(f'expected a folder, got the file {folder}')
    there = (path.name for path in folder.iterdir())
    strangers = sorted(name for name in there if name not in own and name not in LITTER)
    if strangers:
        raise FileExistsError(
            f'expected a new folder or an earlier report to replace, got {folder} with '
            f'{strangers[0]!r} in it'
        )


def _sweep(target: Path) -> None:
    beginning = f'.{target.name}.'
    for path in target.parent.glob(f'{glob.escape(beginning)}*'):
        kind, _, number = path.name[len(beginning) :].partition('-')
        if kind not in ('tmp', 'old') or not number.isdigit() or _in_use(int(number)):
            continue
        if kind == 'old' and not target.exists():
            path.rename(target)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _in_use(process: int) -> bool:
    # What bears our own number was left by an earlier process: we have made nothing yet.
    return process != os.getpid() and is_running(process)
