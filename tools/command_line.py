"""What every command does the same way: quick --help, one-line errors, exit codes.

Exit codes: 0 done, 2 bad usage or input, 3 some items of a batch failed and the rest are done.
"""

import argparse
import os
import pickle
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

FAILED_SOME = 3


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line; usage is what --help is for."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f'error: {message} (see --help)\n')


def run(main: Callable[[], int | None]) -> None:
    """Run a command and leave the process with its exit code.

    A user's mistake (a ValueError or OSError; every error class of mmsal is one of them), a
    missing package and too little memory become one line on stderr. ``MMSAL_TRACEBACK=1`` shows
    where it came from.
    """
    warnings.showwarning = _show_warning
    together = False
    try:
        status = main() or 0
        together = True
    except KeyboardInterrupt:
        print('stopped', file=sys.stderr)
        status = 130
    except (ValueError, OSError, ImportError, MemoryError, pickle.UnpicklingError) as error:
        if os.environ.get('MMSAL_TRACEBACK'):
            raise
        status = 2
        if os.environ.get('RANK', '0') == '0':  # several processes make the same mistake
            print(f'error: {_one_line(error)}', file=sys.stderr)
        left = leave_status(status, int(os.environ.get('LOCAL_RANK', 0)))
        status = status if _others_wait() else left
    if _others_wait():
        _leave_group(status, together)
    sys.exit(status)


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    """A warning of ours in one line; others as Python shows them."""
    package = sys.modules.get('mmsal')
    if package is not None and Path(filename).is_relative_to(Path(package.__file__).parent):
        print(f'warning: {_one_line(message)}', file=sys.stderr)
    else:
        text = warnings.formatwarning(message, category, filename, lineno, line)
        print(text, end='', file=sys.stderr)


def _others_wait() -> bool:
    """Whether other processes are in a group with this one, and must be ended with it."""
    distributed = sys.modules.get('torch.distributed')
    return distributed is not None and distributed.is_initialized()


def _leave_group(status: int, together: bool) -> NoReturn:
    """End this process of a group: with the others, or after an error at once, which ends them."""
    from torch import distributed

    from mmsal.compat import exit_beside_gloo

    if together:
        distributed.barrier()
        distributed.destroy_process_group()
    exit_beside_gloo(status)


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f'{error.filename}: {error.strerror}'
    text = str(error).strip()
    if 'Original Traceback' in text:  # a data loader's worker sends its traceback along
        text = text.splitlines()[-1].split(': ', 1)[-1]
    return ' '.join(text.split()) or type(error).__name__


def leave_status(status: int, local_rank: int = 0) -> int:
    """A command's exit code; under torchrun, which makes a 1 of every code, left in a file.

    The shell script that calls torchrun names the file in ``MMSAL_STATUS_FILE``.
    """
    path = os.environ.get('MMSAL_STATUS_FILE')
    if not path:
        return status
    if local_rank == 0:
        Path(path).write_text(str(status), encoding='utf-8')
    return 0


def hush_others() -> None:
    """Keep out of a command's output what its user can do nothing about.

    MMEngine notes that its own file client is deprecated, torch that MMAction2's Swin does not name
    an ``indexing``, and that there are more decoding processes than cores.
    """
    from mmengine.logging import MMLogger

    warnings.filterwarnings('ignore', message='torch.meshgrid')
    warnings.filterwarnings('ignore', message='This DataLoader will create')
    MMLogger.get_current_instance().setLevel('ERROR')
