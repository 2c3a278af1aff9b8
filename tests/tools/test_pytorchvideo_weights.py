"""PyTorchVideo's checkpoints through the commands: converted, trained from, tested, explained.

The weights are random and saved as PyTorchVideo saves them; nothing is downloaded.
"""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import mmaction
import pytest
import torch

from mmsal.heatmaps import read_heatmaps
from mmsal.models.pytorchvideo import convert_state_dict
from tests.models.pytorchvideo.published import CONFIGS, KINETICS, KTH, published_network

ROOT = Path(__file__).resolve().parents[2]
THEIRS = Path(mmaction.__file__).parent / '.mim' / 'tools'
TOOL = 'convert/pytorchvideo_to_mmaction.py'


@pytest.fixture(scope='module')
def published(tmp_path_factory) -> Path:
    """I3D_8x8_R50.pyth with random weights."""
    path = tmp_path_factory.mktemp('checkpoints') / 'I3D_8x8_R50.pyth'
    torch.save({'model_state': published_network('i3d_r50').state_dict()}, path)
    return path


@pytest.fixture(scope='module')
def weights(published) -> dict:
    """Its weights in MMAction2's names."""
    return convert_state_dict(torch.load(published, weights_only=True)['model_state'])[1]


@pytest.fixture(scope='module')
def small(tmp_path_factory, clips, published) -> Path:
    """The I3D config for KTH on small SYNTHETIC clips, with a step of length zero."""
    folder = tmp_path_factory.mktemp('small')
    videos = sorted(clips.rglob('*.avi'))
    lines = [f'{video} {int("running" in video.name)}' for video in videos]
    (folder / 'list.txt').write_text('\n'.join(lines) + '\n')
    path = folder / 'small_i3d.py'
    path.write_text(
        f"""
_base_ = [{str(CONFIGS / KTH['i3d_r50'])!r}]
load_from = {str(published)!r}
pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=8, frame_interval=2, num_clips=1, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(64, 48), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
data = dict(ann_file={str(folder / 'list.txt')!r}, data_root=None, pipeline=pipeline)
loader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=data)
train_dataloader = loader
val_dataloader = loader
test_dataloader = loader
train_cfg = dict(max_epochs=1)
param_scheduler = None
optim_wrapper = dict(
    _delete_=True, optimizer=dict(type='SGD', lr=0.1),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0))),
)
"""
    )
    return path


def train(script: Path, config: Path, work_dir: Path, *options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(script), str(config), '--work-dir', str(work_dir), *options],
        capture_output=True, text=True, check=False, cwd=work_dir.parent,
    )  # fmt: skip


def trained_parts(work_dir: Path, weights: dict) -> set[str]:
    """Parts of the backbone that an epoch changed."""
    trained = torch.load(work_dir / 'epoch_1.pth', weights_only=True)['state_dict']
    return {
        name.split('.')[1]
        for name, tensor in weights.items()
        if name.startswith('backbone') and not torch.equal(trained[name], tensor)
    }


@pytest.mark.parametrize('tools', [ROOT / 'tools', THEIRS], ids=['ours', 'theirs'])
def test_training_starts_from_the_published_file(small, weights, tmp_path, tools):
    done = train(tools / 'train.py', small, tmp_path / 'work')
    assert done.returncode == 0, done.stderr[-3000:]
    log = done.stdout + done.stderr
    assert 'weights come from PyTorchVideo; the classifier (cls_head.fc_cls.weight' in log
    assert 'do not match exactly' not in log  # MMEngine's warning of weights that were not loaded
    trained = torch.load(tmp_path / 'work' / 'epoch_1.pth', weights_only=True)['state_dict']
    for name, tensor in weights.items():
        if name.startswith('backbone'):
            assert torch.equal(trained[name], tensor), name
    assert trained['cls_head.fc_cls.weight'].shape == (2, 2048)


def test_resuming_nothing_starts_from_the_published_file_too(small, weights, tmp_path):
    """MMAction2 forgets load_from for --resume, and would begin with random weights."""
    options = '--resume', '--cfg-options', 'train_cfg.val_begin=9'
    done = train(ROOT / 'tools' / 'train.py', small, tmp_path / 'work', *options)
    assert done.returncode == 0, done.stderr[-3000:]
    assert 'nothing to resume yet: begins with load_from' in done.stderr
    trained = torch.load(tmp_path / 'work' / 'epoch_1.pth', weights_only=True)
    name = 'backbone.layer4.0.conv2.conv.weight'
    assert torch.equal(trained['state_dict'][name], weights[name])
    again = train(ROOT / 'tools' / 'train.py', small, tmp_path / 'work', *options,
                  'train_cfg.max_epochs=2', 'load_from=gone.pyth')  # fmt: skip
    assert again.returncode == 0, again.stderr[-3000:]
    assert 'nothing to resume' not in again.stderr
    second = torch.load(tmp_path / 'work' / 'epoch_2.pth', weights_only=True)
    assert second['meta']['epoch'] == 2
    # A file that is named is what it goes on from, in a new folder too.
    named = train(ROOT / 'tools' / 'train.py', small, tmp_path / 'new', '--resume',
                  tmp_path / 'work' / 'epoch_2.pth', '--cfg-options', 'train_cfg.max_epochs=3',
                  'train_cfg.val_begin=9')  # fmt: skip
    assert named.returncode == 0, named.stderr[-3000:]
    assert 'nothing to resume' not in named.stderr
    assert not (tmp_path / 'new' / 'epoch_1.pth').exists()
    assert (tmp_path / 'new' / 'epoch_3.pth').exists()


@pytest.mark.parametrize('tools', [ROOT / 'tools', THEIRS], ids=['ours', 'theirs'])
def test_training_from_another_network_ends(small, tmp_path, tools):
    torch.save({'model_state': published_network('x3d_l').state_dict()}, tmp_path / 'X3D_L.pyth')
    done = train(tools / 'train.py', small, tmp_path / 'work',
                 '--cfg-options', f'load_from={tmp_path / "X3D_L.pyth"}')  # fmt: skip
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert 'those of X3D-L 16x5 and do not fit the model of the config' in last
    assert not list(tmp_path.rglob('epoch_*.pth'))
    if tools != THEIRS:
        assert done.returncode == 2 and done.stderr.count('\n') == 1


def test_training_from_a_cnn_lstm_ends(small, checkpoint_path, command, tmp_path):
    code, _, message = command(
        'train.py', small, '--work-dir', tmp_path / 'work',
        '--cfg-options', f'load_from={checkpoint_path}',
    )  # fmt: skip
    assert code == 2 and message.count('\n') == 1
    assert 'weights of the backbone are missing or of another shape' in message


def test_weights_alone_are_not_resumed_from(small, published, command, tmp_path):
    for options in (['--resume', published], ['--cfg-options', 'resume=True']):
        code, _, message = command('train.py', small, '--work-dir', tmp_path / 'work', *options)
        assert code == 2 and message.count('\n') == 1
        assert 'holds weights and no state of a training' in message


def test_without_validation_its_list_may_be_absent(small, command, tmp_path):
    options = ['val_dataloader.dataset.ann_file=gone.txt', 'model.cls_head.num_classes=1']
    code, _, message = command('train.py', small, '--no-validate', '--cfg-options', *options)
    assert code == 2 and 'label 1' in message and 'gone' not in message


def test_training_without_the_published_file_says_where_it_is(tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, message = command('train.py', CONFIGS / KTH['slowfast_r101'])
    assert code == 2 and message.count('\n') == 1
    assert 'model_zoo/kinetics/SLOWFAST_16x8_R101_50_50.pyth' in message
    assert 'load_from' in message
    assert not list(tmp_path.iterdir())


def test_training_on_a_label_without_class_is_refused(small, command, tmp_path):
    code, _, message = command('train.py', small, '--work-dir', tmp_path / 'work',
                               '--cfg-options', 'model.cls_head.num_classes=1')  # fmt: skip
    assert code == 2 and message.count('\n') == 1
    assert 'label 1, but the model has 1 classes' in message and 'num_classes' in message


def test_training_with_every_saving(small, weights, tmp_path):
    done = train(
        ROOT / 'tools' / 'train.py', small, tmp_path / 'work', '--cfg-options',
        'model.backbone.with_cp=True', 'optim_wrapper.accumulative_counts=2',
        'train_dataloader.batch_size=1', 'optim_wrapper.type=BFloat16OptimWrapper',
        'model.backbone.frozen_stages=2', 'optim_wrapper.paramwise_cfg=None',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert trained_parts(tmp_path / 'work', weights) == {'layer3', 'layer4'}


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_mixed_precision_without_a_gpu_says_what_there_is(small, command, tmp_path):
    code, _, message = command('train.py', small, '--amp', '--work-dir', tmp_path / 'work')
    assert code == 2 and message.count('\n') == 1 and 'BFloat16OptimWrapper' in message


def test_testing_with_other_classes_is_refused(small, published, command, tmp_path):
    code, _, message = command('test.py', small, published, '--work-dir', tmp_path / 'work')
    assert code == 2 and message.count('\n') == 1
    assert 'trained on 400 classes, the model of the config has 2' in message


def test_the_published_file_is_explained_as_it_is(published, clips, command, tmp_path):
    video = sorted(clips.rglob('*.avi'))[0]
    pipeline = 'test_pipeline.1.num_clips=1', 'test_pipeline.3.scale=(-1,64)'
    code, _, message = command(
        'visualizations/vis_cam.py', CONFIGS / KINETICS['i3d_r50'], published, video,
        '--device', 'cpu', '--file-url', tmp_path / 'maps.txt',
        '--cfg-options', *pipeline, 'test_pipeline.4.crop_size=64',
    )  # fmt: skip
    assert code == 0, message
    maps = read_heatmaps(tmp_path / 'maps.txt')
    assert len(maps.values) == 8 and maps.values.max() == pytest.approx(1)


# --- the converter -----------------------------------------------------------------------------


def test_a_converted_file_is_as_good_as_the_published_one(
    published, weights, small, command, tmp_path
):
    out = tmp_path / 'new' / 'i3d.pth'
    code, words, message = command(TOOL, published, out, '--model', 'i3d_r50')
    assert (code, message) == (0, '') and '320 weights' in words
    checkpoint = torch.load(out, weights_only=True)
    assert checkpoint['state_dict'].keys() == weights.keys()
    assert all(torch.equal(checkpoint['state_dict'][name], weights[name]) for name in weights)
    done = train(ROOT / 'tools' / 'train.py', small, tmp_path / 'work',
                 '--cfg-options', f'load_from={out}')  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


def refused(command, tmp_path, *words) -> str:
    before = sorted(tmp_path.rglob('*'))
    code, out, message = command(TOOL, *words)
    assert code == 2 and not out and message.count('\n') == 1, message
    assert sorted(tmp_path.rglob('*')) == before
    return message


def test_the_converter_refuses_and_names_another_network(published, command, tmp_path):
    message = refused(command, tmp_path, published, tmp_path / 'x.pth', '--model', 'x3d_l')
    assert 'those of I3D R50 8x8, not of X3D-L 16x5' in message and published.name in message


def test_the_converter_replaces_nothing_unasked(published, command, tmp_path):
    out = tmp_path / 'mine.pth'
    out.write_text('mine')
    assert '--overwrite' in refused(command, tmp_path, published, out, '--model', 'i3d_r50')
    assert out.read_text() == 'mine'
    code, _, _ = command(TOOL, published, out, '--model', 'i3d_r50', '--overwrite')
    assert code == 0 and torch.load(out, weights_only=True)['meta'] == {'pytorchvideo': 'i3d_r50'}


def test_the_converter_refuses_what_it_cannot_read(checkpoint_path, command, tmp_path):
    words = tmp_path / 'words.pyth'
    words.write_text('no checkpoint')
    cut = tmp_path / 'cut.pyth'
    cut.write_bytes(checkpoint_path.read_bytes()[:2000])
    torch.save({'model_state': 3}, tmp_path / 'odd.pyth')
    shutil.copy(checkpoint_path, tmp_path / 'other.pyth')
    for name, reason in {
        'gone.pyth': 'does not exist', 'words.pyth': 'not a PyTorch checkpoint',
        'cut.pyth': 'not a PyTorch checkpoint', 'odd.pyth': 'no checkpoint of PyTorchVideo',
        'other.pyth': 'no checkpoint of PyTorchVideo',
    }.items():  # fmt: skip
        message = refused(
            command, tmp_path, tmp_path / name, tmp_path / 'x.pth', '--model', 'i3d_r50'
        )
        assert name in message and reason in message


def test_the_converter_has_help(command):
    code, words, _ = command(TOOL, '--help')
    assert code == 0 and '--model' in words and 'i3d_r50' in words


def test_frozen_stages_train_in_two_processes(small, weights, tmp_path):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    done = subprocess.run(
        ['bash', ROOT / 'tools' / 'dist_train.sh', small, '2', '--work-dir', tmp_path / 'work',
         '--cfg-options', 'model.backbone.frozen_stages=3', 'train_dataloader.batch_size=1',
         'optim_wrapper.paramwise_cfg=None'],
        capture_output=True, text=True, check=False,
        env={**os.environ, 'PATH': path, 'PORT': port, 'OMP_NUM_THREADS': '1'},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert trained_parts(tmp_path / 'work', weights) == {'layer4'}
