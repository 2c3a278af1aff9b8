"""What many tests need: commands run in this process, small synthetic clips, a small recognizer."""

import importlib.util
import os
import sys
import warnings
from pathlib import Path

import pytest

import mmsal  # noqa: F401  first: tests that import mmaction.models rely on its workarounds

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope='session')
def real_data() -> Path:
    """Folder of real KTH clips and eye-tracking data; not part of the repository."""
    folder = Path(os.environ.get('MMSAL_TEST_DATA', ROOT.parent / 'shared' / 'data'))
    if not folder.is_dir():
        pytest.skip(f'no real data in {folder} (set MMSAL_TEST_DATA)')
    return folder


@pytest.fixture(autouse=True)
def mmaction_scope():
    """Registries look up MMAction2's names, as under its own tools."""
    from mmengine.registry import DefaultScope, init_default_scope

    if DefaultScope.get_current_instance() is None:
        init_default_scope('mmaction')


@pytest.fixture(scope='module')
def one_thread():
    """A small network is done sooner by one thread than by several that wait for each other."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def command(monkeypatch, capsys):
    """Run ``tools/NAME`` with arguments in this process: exit code, stdout, stderr."""
    from mmengine.logging import MMLogger

    def call(name: str, *arguments) -> tuple[int, str, str]:
        path = ROOT / 'tools' / name
        monkeypatch.setattr(sys, 'argv', [str(path), *map(str, arguments)])
        monkeypatch.setattr(sys, 'path', [str(path.parent), str(ROOT / 'tools'), *sys.path])
        spec = importlib.util.spec_from_file_location(f'command_{path.stem}', path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        capsys.readouterr()
        logger = MMLogger.get_current_instance()
        level = logger.level
        # A command may silence what it likes in its own process, which this one is not.
        with pytest.raises(SystemExit) as stop, warnings.catch_warnings():
            module.run(module.main)
        logger.setLevel(level)
        output = capsys.readouterr()
        code = stop.value.code
        return (code if isinstance(code, int) else int(bool(code))), output.out, output.err

    return call


@pytest.fixture(scope='session')
def clips(tmp_path_factory) -> Path:
    """Synthetic clips of one training, one validation and one test person, two passes each."""
    from mmsal.datasets.synthetic import make_clips

    folder = tmp_path_factory.mktemp('synthetic')
    make_clips(folder, persons=(11, 1, 2), passes=2, observers=2)
    return folder


@pytest.fixture(scope='session')
def config_path(tmp_path_factory, clips) -> Path:
    """A config like those of configs/kth, with a network small enough for tests."""
    path = tmp_path_factory.mktemp('config') / 'small_cnnlstm.py'
    base = ROOT / 'configs' / 'kth' / 'cnnlstm_r18_1xb8-30x1x1-30e_kth-rgb.py'
    path.write_text(
        f"""
_base_ = [{str(base)!r}]
model = dict(
    backbone=dict(num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1,)),
    cls_head=dict(in_channels=128, feature_size=16, hidden_sizes=(12, 8), clip_len=8),
)
pipeline = [
    dict(type='DecordInit'),
    dict(type='ClipRange'),
    dict(type='SampleFrames', clip_len=8, frame_interval=2, num_clips=1, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(64, 48), keep_ratio=False),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = pipeline
data = dict(data_root={str(clips)!r}, pipeline=pipeline)
train_dataloader = dict(batch_size=4, num_workers=0, persistent_workers=False, dataset=data)
val_dataloader = dict(batch_size=4, num_workers=0, persistent_workers=False, dataset=data)
test_dataloader = dict(batch_size=4, num_workers=0, persistent_workers=False, dataset=data)
train_cfg = dict(max_epochs=1)
param_scheduler = None
default_hooks = dict(logger=dict(interval=1))
"""
    )
    return path


@pytest.fixture(scope='session')
def checkpoint_path(tmp_path_factory, config_path) -> Path:
    """Weights of the small recognizer: random, seeded, saved as MMEngine saves them."""
    import torch
    from mmaction.registry import MODELS
    from mmengine.config import Config
    from mmengine.registry import init_default_scope
    from mmengine.runner.checkpoint import save_checkpoint

    init_default_scope('mmaction')
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(config_path).model)
    path = tmp_path_factory.mktemp('checkpoint') / 'small.pth'
    meta = {'dataset_meta': {'classes': ('walking', 'running')}}
    save_checkpoint({'state_dict': model.state_dict(), 'meta': meta}, str(path))
    return path
