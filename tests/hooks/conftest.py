"""Runners on the small recognizer, built as train.py and test.py build them."""

import logging
from itertools import count

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner


@pytest.fixture(autouse=True)
def one_thread():
    """So small a network is done sooner by one thread than by several that wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def make_runner(config_path, checkpoint_path, tmp_path, monkeypatch):
    """Build a runner with some hooks; ``options`` are merged into the config.

    ``runner.told`` collects what it logs.
    """
    numbers = count()
    # Runners print their config five times over, and making it pretty is what takes longest.
    monkeypatch.setattr('mmengine.config.config.FormatCode', lambda text, **style: (text, True))

    def build(*hooks: dict, load_from=checkpoint_path, **options) -> Runner:
        config = Config.fromfile(config_path)
        config.merge_from_dict(options)
        name = f'{tmp_path.name}-{next(numbers)}'
        config.merge_from_dict(
            dict(
                custom_hooks=list(hooks),
                work_dir=str(tmp_path / 'work' / name),
                experiment_name=name,
                load_from=None if load_from is None else str(load_from),
                launcher='none',
            )
        )
        runner = Runner.from_cfg(config)
        runner.told = []
        handler = logging.Handler()
        handler.emit = lambda record: runner.told.append(record.getMessage())
        runner.logger.addHandler(handler)
        return runner

    return build
