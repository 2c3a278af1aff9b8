"""Processes of a gloo group, and how they end."""

import atexit
import os
import sys
from typing import NoReturn


def exit_beside_gloo(status: int) -> NoReturn:
    """End a process that was in a gloo process group, without taking the interpreter down.

    A thread of gloo drops its last piece of work a moment after the work is done, and needs the
    interpreter's lock for that. Where the interpreter is being taken down by then, the process is
    aborted (SIGABRT, "terminate called without an active exception"), though all is done; seen
    once in some hundred processes. Destroying the group does not help: its threads live on.

    What ``atexit`` has to do is done, and output is flushed. Called by the commands at their very
    end; :func:`apply` does not.

    Args:
        status (int): The exit code.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
