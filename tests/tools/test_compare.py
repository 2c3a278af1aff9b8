"""compare.py from the command line: files, restarts, and one line for a mistake."""

import pandas as pd
import pytest

from mmsal.gaze import write_fixation_table
from tests.comparison.gaze.studies import bad_maps, gaze, good_maps, write_maps, write_videos

COMMAND = '../saliency_metrics_comparison/compare.py'
FAST = ('--metrics', 'NSS', 'AUC', '--resamples', '50', '--workers', '1')

pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture
def inputs(tmp_path):
    """Folders of two models and the fixation table, all SYNTHETIC."""
    write_maps(tmp_path / 'good', good_maps, '.txt')
    write_maps(tmp_path / 'bad', bad_maps, '.npz')
    write_fixation_table(gaze(), tmp_path / 'gaze.csv')
    return tmp_path


def arguments(folder, *more):
    return (
        '--heatmaps', folder / 'good', f'other={folder / "bad"}',
        '--fixations', folder / 'gaze.csv', '--out', folder / 'out', *FAST, *more,
    )  # fmt: skip


def test_one_command_from_folders_to_report(command, inputs):
    videos = write_videos(inputs / 'videos')
    more = '--videos', videos, '--window', '0.4', '--sigma', '3px', '--synthetic'
    code, out, err = command(COMMAND, *arguments(inputs, *more))
    assert (code, err) == (0, '48 of 48 fixations used\n')
    assert f'report: {inputs / "out" / "report" / "index.html"}' in out
    assert 'good' in out and 'other' in out
    results = pd.read_csv(inputs / 'out' / 'results.csv')
    assert list(results) == [
        'video', 'model', 'reference', 'level', 'frame', 'metric', 'convention', 'value',
        'n_fixations',
    ]  # fmt: skip
    assert set(results['level']) == {'frame', 'window', 'video', 'static'}
    assert {'good', 'other', 'chance', 'motion', 'centre bias', 'human ceiling'} <= set(
        results['model']
    )
    summary = pd.read_csv(inputs / 'out' / 'summary.csv')
    assert {'mean', 'low', 'high', 'share_of_ceiling'} <= set(summary)
    assert (inputs / 'out' / 'tables' / 'summary_video.tex').is_file()
    assert 'SYNTHETIC' in (inputs / 'out' / 'report' / 'index.html').read_text()


def test_a_second_run_goes_on_and_other_settings_are_refused(command, inputs):
    assert command(COMMAND, *arguments(inputs, '--pages', '0'))[0] == 0
    part = inputs / 'out' / 'parts' / 'clip1.csv'
    stamp = part.stat().st_mtime_ns
    code, _, err = command(COMMAND, *arguments(inputs, '--pages', '0'))
    assert code == 0
    assert 'no --sigma given' in err
    assert part.stat().st_mtime_ns == stamp
    code, _, err = command(COMMAND, *arguments(inputs, '--pages', '0', '--seed', '1'))
    assert code == 2
    assert 'made with other options' in err
    assert command(COMMAND, *arguments(inputs, '--seed', '1', '--overwrite'))[0] == 0


def test_mismatches_are_listed_and_partial_goes_on(command, inputs):
    (inputs / 'bad' / 'clip2.npz').unlink()
    code, out, err = command(COMMAND, *arguments(inputs))
    assert (code, out) == (2, '')
    assert err.startswith('error: 1 mismatches: clip2: no heatmaps of other')
    assert err.count('\n') == 1
    assert not (inputs / 'out').exists()
    code, out, err = command(COMMAND, *arguments(inputs, '--partial'))
    assert code == 3
    assert '2 videos scored' in out
    assert 'left out: clip2: no heatmaps of other' in err


@pytest.mark.parametrize(
    ('more', 'words'),
    [
        (('--sigma', '3'), 'expected --sigma like 20px or 1deg'),
        (('--sigma', '1deg'), 'needs --pixels-per-degree'),
        (('--metrics', 'FID'), "expected metrics AUC, AUC-Judd, AUC-Borji, sAUC, NSS"),
        (('--conventions', 'oxford'), 'expected conventions mit, tuebingen'),
        (('--frame-step', '0'), 'expected frame_step of at least 1'),
        (('--window', '-1'), 'expected a positive window_s'),
        (('--workers', '0'), 'expected at least 1 worker'),
        (('--seed', '-1'), 'expected a seed of 0 or more'),
        (('--resamples', '0'), 'resamples'),
        (('--videos', '/nowhere'), '/nowhere is no folder of videos'),
        (('--fixations', '/nowhere.csv'), 'nowhere.csv'),
        (('--heatmaps', '/nowhere'), '/nowhere is no folder of heatmaps'),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(command, inputs, more, words):
    code, out, err = command(COMMAND, *arguments(inputs, *more))
    assert (code, out) == (2, '')
    assert words in err
    assert err.startswith('error: ')
    assert err.count('\n') == 1
    assert not (inputs / 'out' / 'results.csv').exists()
