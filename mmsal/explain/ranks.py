"""Several processes that share a list of videos."""

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import distributed

Item = TypeVar('Item')
LAUNCHERS = ('none', 'pytorch', 'slurm')


@dataclass(frozen=True)
class Ranks:
    """This process among those that were started together.

    Attributes:
        rank: Its number, from 0.
        world: How many there are.
        local: Its number on its own machine.
    """

    rank: int = 0
    world: int = 1
    local: int = 0

    def share(self, items: Sequence[Item]) -> list[Item]:
        """Every item is in the share of one process, whatever the others have done so far."""
        return list(items[self.rank :: self.world])

    def meet(self) -> None:
        """Form a group with the others, once there is something to tell each other.

        By torch's gloo backend; so no GPU is needed for it.
        """
        if self.world > 1 and not distributed.is_initialized():
            # One process may be done days before another.
            distributed.init_process_group('gloo', timeout=timedelta(days=30))

    def first(self, work: Callable[[], None]) -> None:
        """The first process does it while the others wait; what it refuses, all refuse.

        Raises:
            ValueError, OSError: What the work raised, of the same kind in every process.
        """
        self.meet()
        error = None
        if self.rank == 0:
            try:
                work()
            except (ValueError, OSError) as fault:
                error = fault
        if self.world > 1:
            told = [error]
            distributed.broadcast_object_list(told, src=0)
            error = told[0]
        if error is not None:
            raise error

    def device(self, name: str) -> str:
        """``auto`` is this process's own GPU where there are any."""
        if name == 'auto' and self.world > 1 and torch.cuda.is_available():
            return f'cuda:{self.local % torch.cuda.device_count()}'
        return name

    def wait(self) -> None:
        """Until all processes have come here."""
        self.meet()
        if self.world > 1:
            distributed.barrier()


def join_ranks(launcher: str = 'none') -> Ranks:
    """This process among those that a launcher has started; they meet when they first have to.

    Args:
        launcher (str): ``none``, ``pytorch`` (torchrun) or ``slurm`` (srun).

    Raises:
        ValueError: Unknown launcher, or it did not start this process.
    """
    if launcher not in LAUNCHERS:
        raise ValueError(f'expected launcher {", ".join(LAUNCHERS)}, got {launcher!r}')
    if launcher == 'none':
        return Ranks()
    if launcher == 'slurm':
        _name_slurm_ranks()
    try:
        return Ranks(*(int(os.environ[name]) for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK')))
    except KeyError as missing:
        raise ValueError(
            f'launcher {launcher} has not started this process: {missing} is not set'
        ) from missing


def _name_slurm_ranks() -> None:
    """What torchrun would set, from what srun sets."""
    names = {'RANK': 'SLURM_PROCID', 'WORLD_SIZE': 'SLURM_NTASKS', 'LOCAL_RANK': 'SLURM_LOCALID'}
    os.environ.update({ours: os.environ[its] for ours, its in names.items() if its in os.environ})
    os.environ.setdefault('MASTER_PORT', '29500')
    if 'MASTER_ADDR' not in os.environ and 'SLURM_NODELIST' in os.environ:
        command = ['scontrol', 'show', 'hostnames', os.environ['SLURM_NODELIST']]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        hosts = answer.stdout.split()
        if answer.returncode or not hosts:
            fault = ' '.join(answer.stderr.split()) or 'it names no host'
            raise ValueError(f'{" ".join(command)} failed: {fault}; set MASTER_ADDR')
        os.environ['MASTER_ADDR'] = hosts[0]
