"""The whole path on three real KTH videos: train, test, dump, heatmaps. Skipped without them.

They show two persons, so the split is by sub-sequence and the same persons are in training and
test: this shows that the path works, not how well the network would do on KTH.
"""

import csv
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from mmsal.datasets.kth_sequences import read_sequences, write_sequences
from mmsal.heatmaps import read_heatmaps
from tests.conftest import ROOT

VIDEOS = ('person01_running_d1', 'person01_walking_d1', 'person04_running_d1')


def call(*words: object, cwd: Path) -> str:
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env={**os.environ, 'PATH': path},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def write_config(folder: Path, kth: Path, sequences: dict) -> Path:
    """The small config of the demo, on half of the real sub-sequences, at 80x60 pixels."""
    write_sequences(folder / 'sequences.txt', sequences)
    config = Config.fromfile(
        ROOT / 'configs/kth/cnnlstm_r18-small_1xb8-16x1x1-12e_kth-synthetic-rgb.py'
    )
    for part in ('train', 'val', 'test'):
        loader = config[f'{part}_dataloader']
        loader.update(batch_size=6, num_workers=0, persistent_workers=False)
        loader.dataset.update(
            data_root=str(kth),
            ann_file=str(folder / 'sequences.txt'),
            split='random',
            group='sequence',
            ratios=(0.5, 0.25, 0.25),
        )
        for step in loader.dataset.pipeline:
            if step.type == 'Resize':
                step.scale = (80, 60)
    config.train_cfg.update(max_epochs=120, val_begin=120)
    config.param_scheduler = None
    config.default_hooks.checkpoint.interval = 120
    config.dump(folder / 'real.py')
    return folder / 'real.py'


@pytest.mark.slow
def test_from_real_videos_to_heatmaps(real_data, tmp_path):
    kth = real_data / 'kth'
    if not (kth / '00sequences.txt').is_file():
        pytest.skip(f'no KTH videos in {kth}')
    sequences = {video: read_sequences(kth / '00sequences.txt')[video] for video in VIDEOS}
    config = write_config(tmp_path, kth, sequences)
    tools, work, checked = ROOT / 'tools', tmp_path / 'work', tmp_path / 'checked'
    call('python', tools / 'train.py', config, '--work-dir', work, '--seed', 0, cwd=tmp_path)
    checkpoint = (work / 'last_checkpoint').read_text()
    dump = tmp_path / 'out.pkl'
    log = call(
        'python', tools / 'test.py', config, checkpoint, '--dump', dump, '--work-dir', checked,
        cwd=tmp_path,
    )  # fmt: skip
    with dump.open('rb') as file:
        predictions = pickle.load(file)
    assert len(predictions) >= 3
    correct = [int(p['pred_score'].argmax()) == int(p['gt_label']) for p in predictions]
    assert f'acc/top1: {np.mean(correct):.4f}' in log
    # Six training clips settle no accuracy, but they can be learnt: always saying running, as
    # four of the six are, would leave a loss of 0.64.
    (scalars,) = work.glob('*/vis_data/scalars.json')
    losses = [json.loads(line).get('loss') for line in scalars.read_text().splitlines()]
    assert [loss for loss in losses if loss is not None][-1] < 0.55

    lines = []
    for video in VIDEOS:
        ranges = ', '.join(f'{start + 1}-{end}' for start, end in sequences[video])
        lines.append(f'{kth}/{video}_uncomp.avi frames {ranges}')
    (tmp_path / 'list.txt').write_text('\n'.join(lines))
    out = tmp_path / 'out'
    call(
        'bash', tools / 'batch_vis_cam.sh', config, checkpoint, tmp_path / 'list.txt', out,
        cwd=tmp_path,
    )  # fmt: skip
    with (out / 'heatmaps' / 'manifest.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['status'] for row in rows] == ['done'] * 3
    for video in VIDEOS:
        maps = read_heatmaps(out / 'heatmaps' / f'{video}_uncomp.txt')
        assert maps.values.shape == (4 * 16, 120, 160)
        assert maps.values.min() >= 0
        assert maps.values.max() > 0.9
        for frame in maps.frame_indices:
            assert any(start <= frame < end for start, end in sequences[video])
        assert maps.meta['source_size'] == [160, 120]
        np.testing.assert_allclose(maps.meta['timestamps'], maps.frame_indices / 25, atol=1e-3)
        assert (out / 'overlays' / f'{video}_uncomp.mp4').stat().st_size > 1000
    for one in predictions:
        print(one['video_id'], 'label', int(one['gt_label']), one['pred_score'].tolist())
