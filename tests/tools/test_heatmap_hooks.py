"""The hooks through train.py and test.py, alone and in parallel; each run is its own process."""

import csv
import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
STEMS = [
    'person02_running_d1_uncomp.frames-14-49',
    'person02_running_d1_uncomp.frames-58-92',
    'person02_walking_d1_uncomp.frames-114-183',
    'person02_walking_d1_uncomp.frames-15-83',
]

pytestmark = pytest.mark.usefixtures('one_thread')


def run(*words, cwd: Path, **environment) -> subprocess.CompletedProcess:
    """Run a command with this Python's folder first in PATH, as in an activated environment."""
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    return subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, cwd=cwd, check=False,
        # On the CPU, so that files can be compared to the last digit wherever the tests run.
        env={**os.environ, 'PATH': path, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '',
             **environment},
    )  # fmt: skip


@pytest.fixture
def hooked(config_path, tmp_path):
    """Write a config with a hook."""

    def write(**hook) -> Path:
        path = tmp_path / 'hooked.py'
        path.write_text(f'_base_ = [{str(config_path)!r}]\ncustom_hooks = [{hook!r}]\n')
        return path

    return write


def vis_cam(command, config_path, checkpoint_path, clips, stem: str, out: Path) -> None:
    """Let vis_cam.py explain the sample that has this stem."""
    name, part = stem.split('.frames-')
    status, _, errors = command(
        'visualizations/vis_cam.py', config_path, checkpoint_path, clips / f'{name}.avi',
        '--frames', part, '--file-url', out, '--overwrite', '--device', 'cpu',
    )  # fmt: skip
    assert status == 0, errors


def test_test_writes_the_files_of_vis_cam_and_its_own(
    hooked, command, config_path, checkpoint_path, clips, tmp_path
):
    config = hooked(type='HeatmapDumpHook', out_dir='maps')
    done = run(
        sys.executable, ROOT / 'tools' / 'test.py', config, checkpoint_path,
        '--dump', 'dump.pkl', '--work-dir', 'work', cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert 'heatmaps of 4 of 4 samples: maps' in done.stdout and 'acc/top1' in done.stdout
    maps = tmp_path / 'maps'
    names = [f'{stem}.txt{ending}' for stem in STEMS for ending in ('', '.json')]
    assert sorted(path.name for path in maps.iterdir()) == sorted(
        [*names, 'manifest.csv', 'settings.json']
    )
    for stem in STEMS[::2]:
        vis_cam(command, config_path, checkpoint_path, clips, stem, tmp_path / 'expected.txt')
        for ending in ('', '.json'):  # they differ in the config's name
            expected = (tmp_path / f'expected.txt{ending}').read_text()
            written = (maps / f'{stem}.txt{ending}').read_text()
            assert written.replace(str(config), str(config_path)) == expected

    dump = pickle.loads((tmp_path / 'dump.pkl').read_bytes())
    known = {'video_id', 'num_classes', 'img_shape', 'pred_score', 'pred_label', 'gt_label'}
    assert [set(one) for one in dump] == [known] * 4


@pytest.mark.skipif(torch.cuda.device_count() == 1, reason='two processes need two GPUs or none')
def test_two_processes_share_the_samples(
    hooked, command, config_path, checkpoint_path, clips, tmp_path
):
    # Three samples for two processes: the first one is there twice, to fill up.
    config = hooked(type='HeatmapDumpHook', out_dir='maps')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    done = run(
        'bash', ROOT / 'tools' / 'dist_test.sh', config, checkpoint_path, 2,
        '--work-dir', tmp_path / 'work', '--cfg-options', 'test_dataloader.dataset.indices=3',
        'test_dataloader.batch_size=1', cwd=tmp_path, PORT=str(port),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.count('heatmaps of 3 of 3 samples: maps') == 1
    expected = {STEMS[0], STEMS[1], STEMS[3]}
    with (tmp_path / 'maps' / 'manifest.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['status'] for row in rows] == ['done'] * 3
    assert {row['output'] for row in rows} == {f'{stem}.txt' for stem in expected}
    assert not list((tmp_path / 'maps').glob('.*'))  # every process's rows are in the manifest
    for stem in (STEMS[0], STEMS[1]):
        vis_cam(command, config_path, checkpoint_path, clips, stem, tmp_path / 'expected.txt')
        written = (tmp_path / 'maps' / f'{stem}.txt').read_bytes()
        assert written == (tmp_path / 'expected.txt').read_bytes()


def test_train_draws_overlays(hooked, tmp_path):
    config = hooked(type='HeatmapOverlayHook', interval=1, num_samples=2, frames=3)
    done = run(
        sys.executable, ROOT / 'tools' / 'train.py', config, '--work-dir', tmp_path / 'work',
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    pictures = sorted((tmp_path / 'work').glob('*/vis_data/vis_image/*.png'))
    assert [path.name for path in pictures] == [
        'heatmap_0_person01_running_d1_uncomp.frames-13-43_1.png',
        'heatmap_3_person01_walking_d1_uncomp.frames-111-186_1.png',
    ]
    grey, coloured = (cv2.imread(str(pictures[0]))[rows].astype(int) for rows in
                      (slice(50, 130), slice(-90, -10)))  # fmt: skip
    assert (abs(grey - grey[..., :1]).max(axis=2) < 9).mean() > 0.9  # the clips have no colours
    assert (abs(coloured - coloured[..., :1]).max(axis=2) > 20).mean() > 0.5


def test_a_wrong_option_is_one_line(hooked, checkpoint_path, tmp_path):
    layer = 'backbone/layer9'
    config = hooked(type='HeatmapDumpHook', out_dir='maps', target_layer_name=layer)
    done = run(
        sys.executable, ROOT / 'tools' / 'test.py', config, checkpoint_path, '--work-dir', 'work',
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: target layer '{layer}' does not exist; there is: ")
    assert done.stderr.count('\n') == 1
    assert 'Epoch(' not in done.stdout and not (tmp_path / 'maps').exists()
