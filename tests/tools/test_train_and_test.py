"""train.py and test.py: MMAction2's scripts behind our checks, alone, resumed and in parallel.

Each run is a process of its own: MMAction2's scripts change the state of the process they run in.
"""

import json
import os
import pickle
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import mmaction
import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / 'tools'
THEIRS = Path(mmaction.__file__).parent / '.mim' / 'tools'


def run(*words, cwd: Path, **environment) -> subprocess.CompletedProcess:
    """Run a command with this Python's folder first in PATH, as in an activated environment."""
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    return subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, cwd=cwd, check=False,
        env={**os.environ, 'PATH': path, 'OMP_NUM_THREADS': '1', **environment},
    )  # fmt: skip


def run_python(script: Path, *words, cwd: Path) -> subprocess.CompletedProcess:
    done = run(sys.executable, script, *words, cwd=cwd)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done


def logged(work_dir: Path) -> list[dict]:
    """What the newest run in a work folder logged about its epochs."""
    newest = max(work_dir.glob('*/vis_data/scalars.json'))
    return [json.loads(line) for line in newest.read_text().splitlines()]


def as_if_saved_on_a_gpu(checkpoint: Path, out: Path) -> Path:
    """Copy a checkpoint, its tensors now told to lie on a GPU, as where it was trained on one."""
    # Pickled strings: opcode X, length in four bytes, text.
    before, after = b'X\x03\x00\x00\x00cpu', b'X\x06\x00\x00\x00cuda:0'
    with zipfile.ZipFile(checkpoint) as source, zipfile.ZipFile(out, 'w') as copy:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith('/data.pkl'):
                assert before in data
                data = data.replace(before, after)
            copy.writestr(name, data)
    return out


@pytest.fixture(scope='module')
def trained(config_path, tmp_path_factory) -> Path:
    """Work folder of one epoch of train.py, run from elsewhere."""
    work_dir = tmp_path_factory.mktemp('trained')
    elsewhere = tmp_path_factory.mktemp('elsewhere')
    run_python(OURS / 'train.py', config_path, '--work-dir', work_dir, cwd=elsewhere)
    assert not list(elsewhere.iterdir())
    return work_dir


def test_one_epoch_writes_a_checkpoint(trained, config_path):
    checkpoint = torch.load(trained / 'epoch_1.pth', weights_only=True)
    assert checkpoint['meta']['epoch'] == 1
    assert tuple(checkpoint['meta']['dataset_meta']['classes']) == ('walking', 'running')
    assert {'state_dict', 'optimizer', 'message_hub'} <= set(checkpoint)
    training, validation = logged(trained)
    assert training['epoch'] == 1 and np.isfinite(training['loss'])
    assert 0 <= validation['acc/top1'] <= 1
    assert (trained / config_path.name).is_file()


def test_resume_goes_on_from_mmengines_own_checkpoint(trained, config_path, tmp_path):
    # A copy by hand: other tests need the folder as it is.
    as_if_saved_on_a_gpu(trained / 'epoch_1.pth', tmp_path / 'epoch_1.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_1.pth'))
    options = ['--resume', '--cfg-options', 'train_cfg.max_epochs=2']
    done = run_python(
        OURS / 'train.py', config_path, '--work-dir', tmp_path, *options, cwd=tmp_path
    )
    assert 'resumed epoch: 1, iter: 1' in done.stdout
    training, _ = logged(tmp_path)
    assert training['epoch'] == 2
    before = torch.load(trained / 'epoch_1.pth', weights_only=True)
    after = torch.load(tmp_path / 'epoch_2.pth', weights_only=True)
    assert after['meta']['epoch'] == 2 and after['meta']['iter'] == 2 * before['meta']['iter']
    # The optimizer went on too: Adam counts its steps.
    steps = {int(state['step']) for state in after['optimizer']['state'].values()}
    assert steps == {2}


def read_dump(path: Path) -> list[dict]:
    """Predictions of a dump: written by the test itself, so safe to unpickle."""
    with path.open('rb') as file:
        return pickle.load(file)


def check_predictions(predictions: list[dict]) -> None:
    # The test person's two clips of two passes each; both classes, as the labels say.
    assert sorted(int(one['gt_label']) for one in predictions) == [0, 0, 1, 1]
    for one in predictions:
        scores = np.asarray(one['pred_score'])
        assert scores.shape == (2,) and scores.sum() == pytest.approx(1, abs=1e-5)
        assert int(one['pred_label']) == scores.argmax()


def test_test_dumps_a_prediction_per_sub_sequence(trained, config_path, tmp_path):
    dump = tmp_path / 'new' / 'predictions.pkl'
    words = [config_path, trained / 'epoch_1.pth', '--dump', dump, '--work-dir', tmp_path]
    done = run_python(OURS / 'test.py', *words, cwd=tmp_path)
    assert 'acc/top1' in done.stdout
    check_predictions(read_dump(dump))


def test_mmaction2s_own_scripts_take_the_same_config(config_path, tmp_path):
    work_dir, elsewhere = tmp_path / 'work', tmp_path / 'elsewhere'
    elsewhere.mkdir()
    run_python(THEIRS / 'train.py', config_path, '--work-dir', work_dir, cwd=elsewhere)
    words = [config_path, work_dir / 'epoch_1.pth', '--dump', tmp_path / 'predictions.pkl']
    run_python(THEIRS / 'test.py', *words, '--work-dir', work_dir, cwd=elsewhere)
    check_predictions(read_dump(tmp_path / 'predictions.pkl'))


WITNESS = '''
from pathlib import Path
import json
import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmaction.registry import HOOKS


@HOOKS.register_module()
class Witness(Hook):
    """Writes down which samples this process trained on, and the weights it ended with."""

    seen = ()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.seen += tuple(sample.video_id for sample in data_batch['data_samples'])

    def after_train(self, runner):
        weights = sum(float(one.detach().double().sum()) for one in runner.model.parameters())
        told = {'world': get_world_size(), 'samples': self.seen, 'weights': weights,
                'device': str(next(runner.model.parameters()).device)}
        Path(f'rank{get_rank()}.json').write_text(json.dumps(told))
'''


@pytest.mark.skipif(torch.cuda.device_count() == 1, reason='two processes need two GPUs or none')
def test_dist_train_shares_an_epoch_among_its_processes(config_path, tmp_path):
    (tmp_path / 'witness.py').write_text(WITNESS)
    config = tmp_path / 'witnessed.py'
    config.write_text(
        f'_base_ = [{str(config_path)!r}]\n'
        "custom_imports = dict(imports=['mmsal', 'witness'], allow_failed_imports=False)\n"
        "custom_hooks = [dict(type='Witness')]\n"
    )
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    done = run(
        'bash', OURS / 'dist_train.sh', config, 2, '--work-dir', tmp_path / 'work',
        '--cfg-options', 'train_dataloader.batch_size=2', "train_dataloader.dataset.pipeline.6."
        "meta_keys=('video_id',)",
        cwd=tmp_path, PORT=str(port), PYTHONPATH=str(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    one, other = (json.loads((tmp_path / f'rank{rank}.json').read_text()) for rank in (0, 1))
    assert one['world'] == other['world'] == 2
    # Each trained on its own half, and the gradients were shared: both end with the same weights.
    assert len(one['samples']) == len(other['samples']) == 2
    assert len({*one['samples'], *other['samples']}) == 4
    assert one['weights'] == other['weights']
    assert (tmp_path / 'work' / 'epoch_1.pth').is_file()
    if not torch.cuda.is_available():
        assert one['device'] == other['device'] == 'cpu'


@pytest.mark.parametrize(
    'script', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh', 'slurm_test.sh']
)
def test_scripts_say_how_they_are_called(script, tmp_path):
    for words, status in (([], 2), (['--help'], 0)):
        done = run('bash', OURS / script, *words, cwd=tmp_path)
        told = done.stdout if status == 0 else done.stderr
        assert done.returncode == status
        assert f'tools/{script} ' in told and 'CONFIG' in told


MISSING_CLIPS = {
    'folder': ([], ['the folder', 'does not exist', 'download_kth.sh']),
    'file': (
        ['00sequences.txt', 'person11_walking_d1_uncomp.avi'],
        ['1 of 2 video files', 'missing', 'person11_running_d1', 'download_kth.sh'],
    ),
}


@pytest.mark.parametrize(('present', 'words'), MISSING_CLIPS.values(), ids=MISSING_CLIPS)
def test_missing_clips_are_counted_and_named(config_path, clips, tmp_path, present, words):
    data_root = tmp_path / 'kth'
    for name in present:
        data_root.mkdir(exist_ok=True)
        (data_root / name).symlink_to(clips / name)
    done = run(
        sys.executable, OURS / 'train.py', config_path, '--work-dir', tmp_path / 'work',
        '--cfg-options', f'train_dataloader.dataset.data_root={data_root}', cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith('error: ') and done.stderr.count('\n') == 1, done.stderr
    assert all(word in done.stderr for word in [str(data_root), *words])
    assert not list(tmp_path.rglob('*.pth'))
