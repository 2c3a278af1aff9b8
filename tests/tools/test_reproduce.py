"""reproduce.sh: the whole chain of one network on SYNTHETIC clips, and where it must stop."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from mmsal.explain.jobs import read_job_list
from mmsal.heatmaps import read_heatmaps

SCRIPT = Path(__file__).resolve().parents[2] / 'CNN_finetunings' / 'reproduce.sh'


def reproduce(*words, cwd: Path, **environment) -> subprocess.CompletedProcess:
    """Run the script with this Python's folder first in PATH, as in an activated environment."""
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    settings = ('SYNTHETIC', 'KTH', 'PERSONS', 'EPOCHS', 'FIXATIONS', 'OVERLAYS')
    clean = {name: value for name, value in os.environ.items() if name not in settings}
    return subprocess.run(
        ['bash', str(SCRIPT), *map(str, words)], capture_output=True, text=True, cwd=cwd,
        check=False, env={**clean, 'PATH': path, 'OMP_NUM_THREADS': '1', **environment},
    )  # fmt: skip


@pytest.mark.slow
def test_from_synthetic_clips_to_a_comparison_with_gaze_and_no_step_twice(tmp_path):
    small = dict(SYNTHETIC='1', PERSONS='2 11-12 19', EPOCHS='1', OVERLAYS='0')
    done = reproduce('i3d', 'out', cwd=tmp_path, **small)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert [path.name for path in tmp_path.iterdir()] == ['out']
    out = tmp_path / 'out'

    lists = out / 'sequences' / 'lists'
    tested = (lists / 'test.txt').read_text().splitlines()
    # Two actions of person 2, four passes each; walking has the label 0, as in the config.
    assert len(tested) == 8 and {line[:8] for line in tested} == {'person02'}
    assert all(int(line.split(' ')[1]) == ('running' in line) for line in tested)
    predictions = pickle.loads((out / 'predictions.pkl').read_bytes())  # written by this test
    labels = [int(one['gt_label']) for one in predictions]
    assert labels == [int(line.split(' ')[1]) for line in tested]
    right = [int(one['pred_label']) for one in predictions]
    accuracy = sum(map(int.__eq__, right, labels)) / 8
    assert f'acc/top1: {accuracy:.4f}' in done.stdout

    # The maps are of the whole files, so that their names are those of the gaze.
    manifest = pd.read_csv(out / 'heatmaps' / 'manifest.csv')
    assert set(manifest['status']) == {'done'}
    for job in read_job_list(out / 'test_clips.txt'):
        maps = read_heatmaps(out / 'heatmaps' / f'{job.stem.name}.txt')
        frames = [frame for first, end in job.frame_ranges for frame in range(first, end)]
        assert len(job.frame_ranges) == 4
        assert maps.frame_indices.tolist() == frames  # every one of every pass
        assert maps.values.shape[1:] == (120, 160)
        # A view's largest value is 1 in the network's cells, and less between their centres.
        assert 0.5 < maps.values.max() <= 1 and maps.meta['method'] == 'gradcam'
        assert maps.meta['target_label'] in ('walking', 'running')
    results = pd.read_csv(out / 'comparison' / 'results.csv')
    assert {'i3d', 'chance', 'centre bias', 'motion', 'human ceiling'} <= set(results['model'])
    chosen = results.query("level == 'video' and metric == 'NSS' and reference == 'all observers'")
    assert chosen.groupby('model')['video'].nunique()['i3d'] == 2

    checkpoint = out / 'training' / 'epoch_1.pth'
    first_conv = 'backbone.conv1.conv.weight'
    weights = torch.load(checkpoint, weights_only=True)['state_dict'][first_conv]
    assert weights.shape == (64, 3, 5, 7, 7) and f'({checkpoint})' in done.stdout
    made = checkpoint.stat().st_mtime_ns
    again = reproduce('i3d', 'out', cwd=tmp_path, **small)
    assert again.returncode == 0, again.stderr[-3000:]
    assert checkpoint.stat().st_mtime_ns == made and 'Epoch(train)' not in again.stdout


def test_without_its_checkpoint_it_says_where_to_get_it(clips, tmp_path):
    """KTH's own chain, on SYNTHETIC clips that stand in for the files."""
    done = reproduce('x3d', cwd=tmp_path, KTH=str(clips))
    assert done.returncode == 2, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith('error: ')]
    assert 'checkpoints/X3D_L.pyth does not exist' in line
    assert 'https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics/X3D_L.pyth' in line
    out = tmp_path / 'work_dirs' / 'reproduce' / 'x3d'
    assert len(list((out / 'sequences').glob('*_seq?.avi'))) == 12
    assert not (out / 'training').exists()


@pytest.mark.parametrize(
    ('words', 'environment', 'fault'),
    [
        ([], {}, "expected i3d, x3d or slowfast, got ''"),
        (['tsn'], {}, "got 'tsn'"),
        (['i3d'], {'SYNTHETIC': 'yes'}, 'expected SYNTHETIC=0 or 1, got yes'),
        (['i3d'], {}, 'there is no folder data/raw_dataset/kth_data'),
        (['i3d'], {'PERSONS': '1-3'}, 'PERSONS is for SYNTHETIC=1'),
        (['i3d'], {'FIXATIONS': 'gaze.csv'}, 'there is no file gaze.csv'),
        (['i3d'], {'EPOCHS': 'x'}, 'expected EPOCHS as a positive number, got x'),
        (['i3d', 'my clips'], {}, "OUT_DIR without white space, got 'my clips'"),
        (['i3d', '--stride'], {}, '--stride is no folder'),
        (['i3d'], {'SYNTHETIC': '1', 'PERSONS': 'all'}, 'expected a number or a range like 1-25'),
    ],
)
def test_a_mistake_is_one_line(tmp_path, words, environment, fault):
    done = reproduce(*words, cwd=tmp_path, **environment)
    assert done.returncode == 2
    assert fault in done.stderr and done.stderr.count('\n') == 1
    assert not list(tmp_path.iterdir())


def test_what_was_trained_with_other_settings_is_not_taken_for_these(clips, tmp_path):
    work = tmp_path / 'out' / 'training'
    work.mkdir(parents=True)
    (work / 'done').write_text('some_config.py EPOCHS=1 \n')
    done = reproduce('i3d', 'out', cwd=tmp_path, KTH=str(clips), EPOCHS='3')
    assert done.returncode == 2 and done.stderr.count('\n') == 1
    assert 'trained with other settings (some_config.py EPOCHS=1 )' in done.stderr
    assert 'another OUT_DIR' in done.stderr


def test_help_names_every_setting(tmp_path):
    done = reproduce('--help', cwd=tmp_path)
    assert done.returncode == 0 and not done.stderr
    for word in ('SYNTHETIC', 'KTH', 'PERSONS', 'EPOCHS', 'FIXATIONS', 'KEY=VALUE', 'OUT_DIR'):
        assert word in done.stdout
