"""Processes that share a list: who has which video, and how errors reach all of them."""

import os
import socket
import time
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmsal.explain import Ranks, join_ranks
from mmsal.explain.manifest import OutputTakenError

OURS = ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT')
SLURM = ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID', 'SLURM_NODELIST')


@pytest.fixture
def launched(monkeypatch):
    """Set what a launcher sets, and nothing else; all is as before after the test."""
    for name in (*OURS, *SLURM):
        monkeypatch.setenv(name, '')  # so that it is restored, whoever sets it
        monkeypatch.delenv(name)

    def launch(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))

    return launch


@pytest.fixture
def joined(monkeypatch):
    """The groups that would have been joined."""
    calls = []
    monkeypatch.setattr(
        torch.distributed, 'init_process_group', lambda *args, **kwargs: calls.append(args)
    )
    return calls


class TestShare:
    @given(st.lists(st.integers(), unique=True, max_size=60), st.integers(1, 12))
    def test_every_item_is_in_one_share(self, items, world):
        shares = [Ranks(rank, world).share(items) for rank in range(world)]
        assert Counter(item for share in shares for item in share) == Counter(items)
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
        for share in shares:
            assert share == sorted(share, key=items.index)

    def test_alone(self):
        assert Ranks().share('abc') == ['a', 'b', 'c']


class TestAlone:
    def test_no_launcher_joins_nothing(self, launched, joined):
        launched(RANK=1, WORLD_SIZE=2, LOCAL_RANK=1)
        assert join_ranks() == Ranks(0, 1, 0)
        assert joined == []

    def test_one_process_needs_no_group(self):
        done = []
        ranks = Ranks()
        ranks.first(lambda: done.append(1))
        ranks.wait()
        assert done == [1]
        assert ranks.device('auto') == 'auto'

    def test_errors_of_the_first_are_errors(self):
        def refuse():
            raise OutputTakenError('taken')

        with pytest.raises(OutputTakenError, match='taken'):
            Ranks().first(refuse)


class TestJoin:
    def test_torchrun(self, launched, joined):
        launched(RANK=5, WORLD_SIZE=8, LOCAL_RANK=1)
        ranks = join_ranks('pytorch')
        assert ranks == Ranks(5, 8, 1)
        assert joined == []  # a mistake that all make alike is told before
        ranks.meet()
        assert joined == [('gloo',)]

    @pytest.mark.parametrize(
        ('launcher', 'variables', 'fault'),
        [
            ('mpi', {}, "expected launcher none, pytorch, slurm, got 'mpi'"),
            ('pytorch', {}, "pytorch has not started this process: 'RANK' is not set"),
            ('pytorch', {'RANK': 0}, "'WORLD_SIZE' is not set"),
            ('slurm', {}, "slurm has not started this process: 'RANK' is not set"),
            ('slurm', {'SLURM_PROCID': 0, 'SLURM_NTASKS': 1}, "'LOCAL_RANK' is not set"),
            ('pytorch', {'RANK': 'x', 'WORLD_SIZE': 1, 'LOCAL_RANK': 0}, "'x'"),
        ],
    )
    def test_faults_are_told_in_one_line(self, launched, joined, launcher, variables, fault):
        launched(**variables)
        with pytest.raises(ValueError, match=fault) as told:
            join_ranks(launcher)
        assert '\n' not in str(told.value)
        assert joined == []


class TestSlurm:
    RANKS = {'SLURM_PROCID': 9, 'SLURM_NTASKS': 16, 'SLURM_LOCALID': 1}

    @pytest.fixture
    def scontrol(self, monkeypatch, tmp_path):
        """Put a script of this name first in PATH."""

        def write(*lines):
            script = tmp_path / 'scontrol'
            script.write_text('\n'.join(['#!/bin/sh', *lines, '']))
            script.chmod(0o755)
            monkeypatch.setenv('PATH', str(tmp_path), prepend=os.pathsep)

        return write

    def test_variables_are_translated(self, launched, joined, scontrol):
        scontrol('test "$*" = "show hostnames gpu[07-08]" && printf "gpu07\\ngpu08\\n"')
        launched(**self.RANKS, SLURM_NODELIST='gpu[07-08]')
        ranks = join_ranks('slurm')
        assert ranks == Ranks(9, 16, 1)
        ranks.meet()
        assert {name: os.environ[name] for name in OURS} == {
            'RANK': '9',
            'WORLD_SIZE': '16',
            'LOCAL_RANK': '1',
            'MASTER_ADDR': 'gpu07',
            'MASTER_PORT': '29500',
        }
        assert joined == [('gloo',)]

    def test_what_the_user_has_set_counts(self, launched, joined, scontrol):
        scontrol('exit 1')
        launched(**self.RANKS, SLURM_NODELIST='a', MASTER_ADDR='here', MASTER_PORT=1234)
        join_ranks('slurm')
        assert os.environ['MASTER_ADDR'] == 'here'
        assert os.environ['MASTER_PORT'] == '1234'

    def test_no_scontrol(self, launched, joined, monkeypatch, tmp_path):
        launched(**self.RANKS, SLURM_NODELIST='a')
        monkeypatch.setenv('PATH', str(tmp_path))
        with pytest.raises(OSError, match='scontrol'):
            join_ranks('slurm')

    @pytest.mark.parametrize('script', ['echo "invalid hostlist" >&2; exit 1', 'true'])
    def test_scontrol_that_fails_is_told_in_one_line(self, launched, joined, scontrol, script):
        scontrol(script)
        launched(**self.RANKS, SLURM_NODELIST='a[')
        with pytest.raises((ValueError, OSError), match='scontrol') as told:
            join_ranks('slurm')
        assert '\n' not in str(told.value)


# --- two processes ------------------------------------------------------------------------------


def refuse_output() -> None:
    raise OutputTakenError('x.txt holds the maps of a.avi')


def read_nothing() -> None:
    open('/nowhere/x')  # noqa: SIM115, PTH123


def in_two_processes(work, tmp_path) -> list[str]:
    """Run ``work(ranks, folder)`` in two processes that have joined; what each of them returned."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    context = torch.multiprocessing.get_context('fork')
    processes = [context.Process(target=_join, args=(work, tmp_path, n, port)) for n in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        process.kill()
    assert [process.exitcode for process in processes] == [0, 0]
    return [(tmp_path / f'rank{number}').read_text() for number in range(2)]


def _join(work, folder, rank: int, port: int) -> None:
    os.environ.update(RANK=str(rank), WORLD_SIZE='2', LOCAL_RANK=str(rank))
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
    ranks = join_ranks('pytorch')
    told = work(ranks, folder)
    ranks.wait()
    torch.distributed.destroy_process_group()
    (folder / f'rank{rank}').write_text(told)


@pytest.mark.parametrize(
    ('refuse', 'told'),
    [
        (refuse_output, 'OutputTakenError: x.txt holds the maps of a.avi'),
        (read_nothing, "FileNotFoundError: [Errno 2] No such file or directory: '/nowhere/x'"),
    ],
)
def test_what_the_first_refuses_all_refuse(tmp_path, refuse, told):
    def work(ranks, folder):
        try:
            ranks.first(refuse)
        except (ValueError, OSError) as error:
            return f'{type(error).__name__}: {error}'

    assert in_two_processes(work, tmp_path) == [told, told]


def test_the_others_wait_for_the_first(tmp_path):
    def work(ranks, folder):
        def write():
            time.sleep(0.5)
            with (folder / 'log').open('a') as file:
                file.write(f'{ranks.rank}\n')

        ranks.first(write)
        return (folder / 'log').read_text()

    assert in_two_processes(work, tmp_path) == ['0\n', '0\n']


def test_waiting_is_for_the_slowest(tmp_path):
    def work(ranks, folder):
        time.sleep(0.5 * ranks.rank)
        (folder / f'here{ranks.rank}').touch()
        ranks.wait()
        return str(len(list(folder.glob('here*'))))

    assert in_two_processes(work, tmp_path) == ['2', '2']
