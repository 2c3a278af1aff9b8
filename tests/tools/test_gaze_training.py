"""Training with gaze through the commands, and the configs of configs/gaze."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.hooks import CheckpointHook

from mmsal.attribution.layers import default_layer_names, find_layer
from mmsal.attribution.layouts import LayerOutput, find_layout, layout_shape

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / 'configs' / 'gaze').glob('*.py'))
SMALL = ROOT / 'configs/gaze/cnnlstm_r18-small-gaze-cc_1xb8-16x1x1-12e_kth-synthetic-rgb.py'
STEP = 4  # LoadGazeMaps' place in its pipelines

pytestmark = pytest.mark.usefixtures('one_thread')


def run(script: str, *words, cwd: Path, **environment) -> subprocess.CompletedProcess:
    """Run a command of tools/ in its own process."""
    return subprocess.run(
        [sys.executable, str(ROOT / 'tools' / script), *map(str, words)],
        capture_output=True, text=True, cwd=cwd, check=False,
        env={**os.environ, 'OMP_NUM_THREADS': '1', **environment},
    )  # fmt: skip


def data_options(clips: Path) -> list[str]:
    """Settings for the small config: two epochs of a few clips, no workers."""
    options = ['train_cfg.max_epochs=2', 'train_cfg.val_begin=1', 'train_cfg.val_interval=1',
               'default_hooks.logger.interval=1']  # fmt: skip
    for phase in ('train', 'val', 'test'):
        options += [
            f'{phase}_dataloader.dataset.data_root={clips}',
            f'{phase}_dataloader.num_workers=0',
            f'{phase}_dataloader.persistent_workers=False',
        ]
    return options


def train(clips: Path, work_dir: Path, *options: str, **environment):
    return run(
        'train.py', SMALL, '--work-dir', work_dir, '--cfg-options', *data_options(clips), *options,
        cwd=work_dir.parent, **environment,
    )  # fmt: skip


@pytest.fixture(scope='module')
def trained(clips, tmp_path_factory) -> tuple[Path, str]:
    """Work folder of two epochs of train.py, and what it said; gaze of one file is missing."""
    folder = tmp_path_factory.mktemp('gaze')
    rows = pd.read_csv(clips / 'fixations.csv')
    rows[rows.video != 'person11_running_d1_uncomp.avi'].to_csv(folder / 'gaze.csv', index=False)
    done = train(clips, folder / 'work', MMSAL_FIXATIONS=str(folder / 'gaze.csv'))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return folder / 'work', done.stdout


def test_training_logs_its_gaze_and_keeps_the_best_by_it(trained):
    work_dir, said = trained
    assert f'gaze: 2 of 4 clips of the training list have fixations (table: {work_dir.parent}/' in (
        said
    )
    assert 'gaze: 4 of 4 clips of the validation list' in said
    scalars = max(work_dir.glob('*/vis_data/scalars.json')).read_text().splitlines()
    training, first, _, second = map(json.loads, scalars)
    assert training['gaze_clips'] == 0.5
    assert training['loss'] == pytest.approx(training['loss_cls'] + training['loss_gaze'])
    assert 0 < training['loss_gaze'] < 20
    for validation in (first, second):
        assert 0 <= validation['acc/top1'] <= 1
        assert np.isfinite(validation['gaze/nss']) and 0 <= validation['gaze/auc'] <= 1
        assert [validation[f'gaze/{name}'] for name in ('clips', 'clips_without')] == [4, 0]
    best = 1 + (second['gaze/nss'] > first['gaze/nss'])
    assert (work_dir / f'best_gaze_nss_epoch_{best}.pth').is_file()
    assert len(list(work_dir.glob('best_acc_top1_epoch_*.pth'))) == 1
    # What was trained on stands in the config that is kept beside the weights.
    kept = Config.fromfile(work_dir / SMALL.name)
    fixations = kept.train_dataloader.dataset.pipeline[STEP].fixations
    assert fixations == str(work_dir.parent / 'gaze.csv')


def best_by_gaze(work_dir: Path) -> Path:
    (path,) = work_dir.glob('best_gaze_nss_epoch_*.pth')
    return path


def test_test_scores_gaze(trained, clips, tmp_path):
    done = run(
        'test.py', SMALL, best_by_gaze(trained[0]), '--dump', tmp_path / 'dump.pkl',
        '--work-dir', tmp_path / 'work', '--cfg-options', *data_options(clips), cwd=tmp_path,
        MMSAL_FIXATIONS=str(clips / 'fixations.csv'),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert 'gaze: 4 of 4 clips of the test list' in done.stdout
    (logged,) = (tmp_path / 'work').glob('*/*.json')
    scores = json.loads(logged.read_text())
    assert np.isfinite(scores['gaze/nss']) and scores['gaze/clips'] == 4
    assert 'acc/top1' in scores and (tmp_path / 'dump.pkl').is_file()


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.device_count() == 1, reason='two processes need two GPUs or none')
def test_two_processes_score_each_clip_once(trained, clips, tmp_path):
    # Three clips for two processes: the first one is there twice, to fill up.
    checkpoint, found = best_by_gaze(trained[0]), []
    options = [*data_options(clips), 'test_dataloader.dataset.indices=3',
               'test_dataloader.batch_size=1']  # fmt: skip
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    for number, launch in enumerate(([], ['2'])):
        work_dir = tmp_path / f'work{number}'
        words = ['bash', ROOT / 'tools/dist_test.sh'] if launch else [
            sys.executable, ROOT / 'tools/test.py']  # fmt: skip
        done = subprocess.run(
            [*map(str, words), str(SMALL), str(checkpoint), *launch, '--work-dir', str(work_dir),
             '--cfg-options', *options],
            capture_output=True, text=True, cwd=tmp_path, check=False,
            env={**os.environ, 'OMP_NUM_THREADS': '1', 'PATH': path, 'PORT': str(port),
                 'MMSAL_FIXATIONS': str(clips / 'fixations.csv')},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        (logged,) = work_dir.glob('*/*.json')
        scores = json.loads(logged.read_text())
        found.append({k: v for k, v in scores.items() if k.startswith(('gaze/', 'acc/'))})
    alone, together = found
    assert together == pytest.approx(alone, abs=1e-6)
    assert together['gaze/clips'] == 3


def test_the_gaze_score_is_that_of_the_heatmaps(trained, clips, command, tmp_path):
    # Independent of the way through MMEngine: the maps of vis_cam.py, the fixations of the table.
    from mmsal.gaze import fixations_in_intervals, read_fixation_table
    from mmsal.heatmaps import read_heatmaps
    from mmsal.metrics import nss

    checkpoint = best_by_gaze(trained[0])
    done = run(
        'test.py', SMALL, checkpoint, '--work-dir', tmp_path / 'work', '--cfg-options',
        *data_options(clips), 'test_dataloader.dataset.indices=1', cwd=tmp_path,
        MMSAL_FIXATIONS=str(clips / 'fixations.csv'),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    (logged,) = (tmp_path / 'work').glob('*/*.json')
    found = json.loads(logged.read_text())['gaze/nss']

    # The first sample of the test person: frames 14 to 49 of the file.
    status, _, errors = command(
        'visualizations/vis_cam.py', SMALL, checkpoint, clips / 'person02_running_d1_uncomp.avi',
        '--frames', '14-49', '--file-url', tmp_path / 'maps.txt', '--space', 'input',
        '--device', 'cpu', '--decimals', '9',
    )  # fmt: skip
    assert status == 0, errors
    maps = read_heatmaps(tmp_path / 'maps.txt')
    table = read_fixation_table(clips / 'fixations.csv')
    table = table[table.video == 'person02_running_d1_uncomp.avi'].reset_index(drop=True)
    starts = maps.frame_indices / 25
    frames, rows = fixations_in_intervals(table, starts, starts + 1 / 25)
    points = table[['x_px', 'y_px']].to_numpy() * (112 / 160, 84 / 120)
    values = [
        nss(maps.values[frame], points[rows[frames == frame]], 'tuebingen')
        for frame in np.unique(frames)
    ]
    assert len(values) > 8
    assert found == pytest.approx(np.mean(values), abs=1e-3)


def test_vis_cam_needs_no_gaze(trained, clips, command, tmp_path, monkeypatch):
    monkeypatch.setenv('MMSAL_FIXATIONS', str(tmp_path / 'absent.csv'))
    video = tmp_path / 'somebody.avi'
    shutil.copy(clips / 'person02_walking_d1_uncomp.avi', video)
    status, _, errors = command(
        'visualizations/vis_cam.py', SMALL, best_by_gaze(trained[0]), video, '--frames', '15-83',
        '--file-url', tmp_path / 'maps.txt', '--device', 'cpu',
    )  # fmt: skip
    assert status == 0, errors
    assert (tmp_path / 'maps.txt').read_text().startswith('Frame ')


def refused(done: subprocess.CompletedProcess) -> str:
    """The one line of a command that refused its input."""
    assert done.returncode == 2, done.stdout[-2000:] + done.stderr[-4000:]
    assert done.stderr.startswith('error: ') and done.stderr.count('\n') == 1, done.stderr
    assert 'Epoch(' not in done.stdout
    return done.stderr


def test_options_reach_a_pipeline_by_its_steps(clips, tmp_path):
    # As the configs' first lines say: the training's table is there, the validation's is not.
    shutil.copy(clips / 'fixations.csv', tmp_path / 'mine.csv')
    options = [
        f'{phase}_dataloader.dataset.pipeline.{STEP}.fixations={tmp_path / name}'
        for phase, name in (('train', 'mine.csv'), ('val', 'absent.csv'))
    ]
    assert f'{tmp_path / "absent.csv"}: ' in refused(train(clips, tmp_path / 'work', *options))


@pytest.mark.parametrize(
    ('option', 'words'),
    [
        (
            f'train_dataloader.dataset.pipeline.{STEP}.type=LoadGazeMap',
            "no transform 'LoadGazeMap'",
        ),
        (f'train_dataloader.dataset.pipeline.{STEP}.sigmas=1', 'LoadGazeMaps got an unexpected'),
        (f'train_dataloader.dataset.pipeline.{STEP}.transforms.0.type=Resiz', "transform 'Resiz'"),
        ('val_evaluator.1.type=GazeMetrics', "val_evaluator: there is no metric 'GazeMetrics'"),
    ],
)
def test_misspelt_parts_are_one_line(clips, tmp_path, option, words):
    line = refused(train(clips, tmp_path / 'work', option))
    assert words in line


def test_a_variable_that_the_pipelines_have_read_is_refused(clips, tmp_path):
    line = refused(train(clips, tmp_path / 'work', f'fixations={clips / "fixations.csv"}'))
    assert 'does not reach the pipelines: set MMSAL_FIXATIONS' in line


def test_no_such_table_is_one_line(clips, tmp_path):
    line = refused(train(clips, tmp_path / 'work', MMSAL_FIXATIONS=str(tmp_path / 'absent.csv')))
    assert str(tmp_path / 'absent.csv') in line


def test_a_table_of_other_videos_is_one_line(clips, tmp_path):
    rows = pd.read_csv(clips / 'fixations.csv')
    rows['video'] = 'other_' + rows.video
    rows.to_csv(tmp_path / 'other.csv', index=False)
    line = refused(train(clips, tmp_path / 'work', MMSAL_FIXATIONS=str(tmp_path / 'other.csv')))
    assert 'gaze: 0 of 4 clips of the training list' in line and 'person11_walking' in line


def test_gaze_that_is_not_packed_is_one_line(clips, tmp_path):
    line = refused(
        train(
            clips, tmp_path / 'work',
            f'train_dataloader.dataset.pipeline.{STEP + 2}.algorithm_keys=',
            MMSAL_FIXATIONS=str(clips / 'fixations.csv'),
        )
    )  # fmt: skip
    assert 'PackActionInputs of the training pipeline' in line and 'algorithm_keys' in line


def pipelines(config: Config) -> dict[str, list[dict]]:
    """Those that load gaze, by phase."""
    found = {
        phase: config[f'{phase}_dataloader'].dataset.pipeline for phase in ('train', 'val', 'test')
    }
    return {
        phase: steps
        for phase, steps in found.items()
        if any(step['type'] == 'LoadGazeMaps' for step in steps)
    }


def shape_of_input(steps: list[dict], size: tuple[int, int]) -> tuple[int, ...]:
    """(T, H, W) of the network's input, of a video of a size, by the config's own transforms."""
    sampling = next(step for step in steps if step['type'] == 'SampleFrames')
    frames = [np.zeros((*size, 3), np.uint8)] * sampling['clip_len']
    results = dict(imgs=frames, img_shape=size, modality='RGB')
    gaze = next(step for step in steps if step['type'] == 'LoadGazeMaps')
    for step in gaze['transforms']:
        results = TRANSFORMS.build(step)(results)
    assert sampling['num_clips'] == 1 and len(results['imgs']) == len(frames)
    return len(frames), *results['imgs'][0].shape[:2]


def grid_of(model: torch.nn.Module, clip: tuple[int, ...]) -> set[tuple[int, ...]]:
    """(h, w) of the layers that Grad-CAM looks at by default, for a clip (T, H, W)."""
    frames, *picture = clip
    shapes: dict[str, tuple[int, ...]] = {}
    for name in default_layer_names(model):
        find_layer(model, name).register_forward_hook(
            lambda module, inputs, output, name=name: shapes.update({name: tuple(output.shape)})
        )
    flat = type(model).__name__ == 'CNNLSTMRecognizer'
    size = (frames, 3, *picture) if flat else (1, 3, frames, *picture)
    model.backbone(torch.empty(size, device='meta'))
    grids = set()
    for name, shape in shapes.items():
        layer = LayerOutput(model.backbone, name.split('/'), shape, 1, clip)
        grids.add(layout_shape(find_layout(layer), shape)[-2:])
    return grids


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_every_config_fits_its_network(path, monkeypatch):
    monkeypatch.setenv('MMSAL_FIXATIONS', 'mine.csv')
    monkeypatch.setenv('MMSAL_SIGMA', '7.5')
    config = Config.fromfile(path)
    with torch.device('meta'):
        model = MODELS.build(config.model)
    assert model.gaze_loss is not None
    found = pipelines(config)
    assert set(found) >= {'train', 'val'}
    for steps in found.values():
        gaze = next(step for step in steps if step['type'] == 'LoadGazeMaps')
        packing = steps[-1]
        assert gaze['fixations'] == 'mine.csv' and gaze['sigma'] == 7.5
        assert packing['algorithm_keys'] == ('gaze_maps', 'gaze_points')
        assert 'img_shape' in packing.get('meta_keys', ('img_shape',))
        clip = shape_of_input(steps, (120, 160))
        assert grid_of(model, clip) == {gaze['map_size']}
    checkpoint = CheckpointHook(**{k: v for k, v in config.default_hooks.checkpoint.items()
                                   if k not in ('type', '_scope_')})  # fmt: skip
    assert checkpoint.key_indicators == ['acc/top1', 'gaze/nss']
    assert checkpoint.rules == ['greater', 'greater']
    assert [one['type'] for one in config.val_evaluator] == ['AccMetric', 'GazeMetric']
    assert {'type': 'GazeCountHook'} in config.custom_hooks


def test_the_config_in_the_docs_is_one(tmp_path):
    text = (ROOT / 'docs/gaze_training.md').read_text()
    block = text.split('## In a config', 1)[1].split('```python\n', 1)[1].split('```', 1)[0]
    base = next(path for path in CONFIGS if path.name.startswith('i3d_r50-gaze-cc'))
    line = next(line for line in base.read_text().splitlines() if line.startswith('_base_'))
    base = (base.parent / line.split("'")[1]).resolve()
    path = tmp_path / 'mine.py'
    path.write_text(f'_base_ = {str(base)!r}\n{block}')
    config = Config.fromfile(path)
    with torch.device('meta'):
        model = MODELS.build(config.model)
    found = pipelines(config)
    assert set(found) == {'train', 'val'} and model.gaze_loss.metric == 'cc'
    for steps in found.values():
        gaze = next(step for step in steps if step['type'] == 'LoadGazeMaps')
        assert gaze['fixations'] == 'fixations.csv'
        assert grid_of(model, shape_of_input(steps, (120, 160))) == {gaze['map_size']}
        assert steps[-1]['algorithm_keys'] == ('gaze_maps', 'gaze_points')
    assert [hook['type'] for hook in config.custom_hooks] == [
        'PyTorchVideoWeightsHook', 'GazeCountHook',
    ]  # fmt: skip
