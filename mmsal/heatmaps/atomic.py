"""Files that appear complete or not at all."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_files(*targets: Path) -> Iterator[list[Path]]:
    """Yield one hidden temporary path per target; move them into place when the body succeeds.

    The files are moved in the order given, so the last one is the one that says "complete": the
    others are already there when it appears. When the body or a move fails, all targets hold what
    they held before, and no temporary file is left. What a process that was killed has left of the
    same targets is removed.

    Args:
        targets: Files of one directory that belong together. All but the last are small: their
            earlier content is kept in memory while they are moved.

    Yields:
        Paths to write to, one per target, in the same directory as the target.
    """
    temporary = [target.with_name(f'.{target.name}.tmp-{os.getpid()}') for target in targets]
    for target in targets:
        _sweep(target)
    earlier: list[tuple[Path, bytes | None]] = []
    try:
        yield temporary
        earlier = [(path, path.read_bytes() if path.exists() else None) for path in targets[:-1]]
        for source, target in zip(temporary, targets, strict=True):
            os.replace(source, target)  # noqa: PTH105
    except BaseException:
        for target, content in earlier:
            if content is None:
                target.unlink(missing_ok=True)
            else:
                target.write_bytes(content)
        raise
    finally:
        for path in temporary:
            path.unlink(missing_ok=True)


def _sweep(target: Path) -> None:
    beginning = f'.{target.name}.tmp-'
    for path in target.parent.glob(f'{glob.escape(beginning)}*'):
        number = path.name[len(beginning) :]
        if number.isdigit() and not is_running(int(number)):
            path.unlink(missing_ok=True)


def is_running(process: int) -> bool:
    """Whether a process of this number is there, of this user or another."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True
