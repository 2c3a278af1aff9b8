"""A comparison in a folder: what it writes, how it goes on, what it refuses."""

import json

import numpy as np
import pandas as pd
import pytest

from mmsal.comparison.gaze import (
    GazeComparison,
    GazeStudy,
    MismatchError,
    Statistics,
    compare,
    find_inputs,
    parse_models,
    parse_sigma,
)
from mmsal.comparison.gaze.run import read_results
from mmsal.gaze import write_fixation_table
from mmsal.heatmaps import HeatmapSequence, write_heatmaps

from .studies import FRAMES, VIDEOS, bad_maps, gaze, good_maps, meta, write_maps

HOW = GazeComparison(sigma=3.0, metrics=('AUC', 'NSS', 'CC', 'AUC-Borji'), motion=False)


@pytest.fixture
def models(tmp_path):
    return {
        'good': write_maps(tmp_path / 'good', good_maps),
        'bad': write_maps(tmp_path / 'bad', bad_maps),
    }


def study(models, folder, table=None, how=HOW, **more):
    return GazeStudy(find_inputs(models, gaze() if table is None else table), folder, how, **more)


def test_compare_gives_the_tidy_table_and_tells_good_from_bad(models):
    table = compare(models, gaze(), how=HOW)
    assert table.attrs['left_out'] == []
    assert set(table['video']) == set(VIDEOS)
    means = table[(table['level'] == 'video') & (table['metric'] == 'NSS')]
    means = means.groupby('model')['value'].mean()
    assert means['good'] > means['human ceiling'] * 0.5 > means['bad']


def test_processes_give_the_same_numbers(models):
    alone = compare(models, gaze(), how=HOW)
    pd.testing.assert_frame_equal(alone, compare(models, gaze(), how=HOW, workers=2))


def test_a_study_writes_what_it_promises_and_goes_on(models, tmp_path):
    folder = tmp_path / 'out'
    first = study(models, folder)
    first.score()
    found = first.write(Statistics(resamples=50))
    assert any('good' in line for line in found)
    for name in ('results.csv', 'summary.csv', 'pairs.csv', 'comparison.json', 'report/index.html'):
        assert (folder / name).stat().st_size
    results = read_results(folder / 'results.csv')
    direct = compare(models, gaze(), how=HOW)
    pd.testing.assert_frame_equal(results, direct, check_dtype=False, rtol=1e-12)

    (folder / 'parts' / 'clip2.csv').unlink()
    stamp = (folder / 'parts' / 'clip1.csv').stat().st_mtime_ns
    seen = []
    second = study(models, folder)
    second.score(progress=seen.append)
    second.write(Statistics(resamples=50))
    assert sorted(seen) == sorted(VIDEOS)
    assert (folder / 'parts' / 'clip1.csv').stat().st_mtime_ns == stamp
    pd.testing.assert_frame_equal(read_results(folder / 'results.csv'), results)


def test_changed_maps_are_scored_again(models, tmp_path):
    folder = tmp_path / 'out'
    first = study(models, folder)
    first.score()
    write_maps(models['good'], bad_maps)
    second = study(models, folder)
    second.score()
    second.write(Statistics(resamples=50), pages=0)
    summary = pd.read_csv(folder / 'summary.csv')
    rows = summary[(summary['metric'] == 'AUC') & (summary['level'] == 'video')]
    rows = rows[rows['reference'] == 'all observers'].set_index('model')['mean']
    assert rows['good'] == rows['bad']


def test_other_settings_need_another_folder(models, tmp_path):
    folder = tmp_path / 'out'
    study(models, folder).score()
    other = GazeComparison(sigma=4.0, metrics=('AUC',), motion=False)
    with pytest.raises(ValueError, match='made with other options'):
        study(models, folder, how=other)
    with pytest.raises(ValueError, match='made with other gaze_sha256'):
        study(models, folder, gaze(seed=1))
    again = study(models, folder, how=other, overwrite=True)
    again.score()
    again.write(Statistics(resamples=50), pages=0)
    assert set(read_results(folder / 'results.csv')['metric']) == {'AUC'}
    assert json.loads((folder / 'comparison.json').read_text())['options']['sigma'] == 4.0


def test_one_bad_video_leaves_the_others(models, tmp_path):
    write_maps(tmp_path / 'text', bad_maps, '.txt')
    models['bad'] = tmp_path / 'text'
    path = models['bad'] / 'clip2.txt'
    path.write_text(path.read_text().replace('0.0', '0.x', 1))  # the sidecar is whole
    folder = tmp_path / 'out'
    one = study(models, folder)
    one.score()
    assert len(one.failures) == 1
    assert 'clip2' in one.failures[0]
    one.write(Statistics(resamples=50), pages=0)
    assert set(read_results(folder / 'results.csv')['video']) == {'clip1', 'clip3'}


def test_mismatches_are_refused_unless_partial(models, tmp_path):
    table = gaze()
    table['video'] = table['video'].replace('clip3.mp4', 'else.mp4')
    with pytest.raises(MismatchError) as error:
        study(models, tmp_path / 'out', table)
    assert len(error.value.faults) == 2
    assert not (tmp_path / 'out').exists()
    one = study(models, tmp_path / 'out', table, partial=True)
    assert [files.video for files in one.files] == ['clip1', 'clip2']
    nothing = gaze().assign(video='else.mp4')
    with pytest.raises(MismatchError):
        study(models, tmp_path / 'none', nothing, partial=True)


def test_gaze_at_other_times_is_told(models, tmp_path):
    table = gaze()
    table[['start_s', 'end_s']] += 5
    one = study(models, tmp_path / 'out', table)
    one.score()
    assert 'no fixation lies on the pixels and frames' in one.failures[0]
    with pytest.raises(ValueError, match='no video could be compared'):
        one.write(Statistics(resamples=50))


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda table: table.assign(end_s=table['start_s'] * 1000 + 290), 'expected seconds'),
        (lambda table: table.assign(x_px=table['x_px'] / 64, y_px=table['y_px'] / 32), 'shares'),
        (lambda table: table.iloc[:0], 'has no rows'),
        (lambda table: table.drop(columns='observer'), 'absent: observer'),
        (lambda table: table.assign(x_px=float('nan')), 'expected a finite number in x_px'),
    ],
)
def test_tables_in_other_units_are_refused(models, change, words):
    with pytest.raises(ValueError, match=words):
        compare(models, change(gaze()), how=HOW)


def test_what_a_part_rests_on_is_part_of_it(models, tmp_path):
    """Another video's size, a table that was touched: nothing old is passed off as new."""
    folder = tmp_path / 'out'
    study(models, folder).score()
    table = folder / 'parts' / 'clip1.csv'
    before = table.read_bytes()
    table.write_bytes(before[: len(before) // 2])
    again = study(models, folder)
    again.score()
    assert table.read_bytes() == before
    for maps in (models['good'], models['bad']):
        values = np.zeros((FRAMES, 16, 32), np.float32)
        small = meta(source_size=[32, 16])
        write_heatmaps(HeatmapSequence(values, np.arange(FRAMES), small), maps / 'clip3.npz')
    with pytest.raises(ValueError, match='made with other videos'):
        study(models, folder)


def test_files_that_change_while_they_are_scored_are_no_part(models, tmp_path):
    one = study(models, tmp_path / 'out')
    write = one.store.write
    one.store.write = lambda files, outcome: (
        write_maps(models['good'], bad_maps),
        write(files, outcome),
    )
    one.score()
    assert len(one.failures) == 3
    assert 'its files changed while it was scored' in one.failures[0]


def test_folders_of_others_are_left_alone(models, tmp_path):
    with pytest.raises(ValueError, match='holds the heatmaps of good'):
        study(models, models['good'], overwrite=True)
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'comparison.json').write_text('{"of": "somebody else"}')
    with pytest.raises(ValueError, match='is not of a comparison with gaze'):
        study(models, tmp_path / 'out', overwrite=True)
    (tmp_path / 'new' / 'report').mkdir(parents=True)
    (tmp_path / 'new' / 'report' / 'thesis.tex').touch()
    with pytest.raises(FileExistsError, match=r'thesis\.tex'):
        study(models, tmp_path / 'new')


def test_notes_tell_what_was_not_used(models, tmp_path):
    table = gaze()
    table.loc[::2, 'x_px'] = 500.0
    silent = good_maps(0)
    silent[3:5] = 0
    write_heatmaps(HeatmapSequence(silent, np.arange(FRAMES), meta()), models['bad'] / 'clip1.npz')
    write_heatmaps(
        HeatmapSequence(silent[:10], np.arange(10), meta(timestamps=None)),
        models['bad'] / 'clip2.npz',
    )
    one = study(models, tmp_path / 'out', table)
    one.score()
    assert one.notes() == [
        '24 of 48 fixations used; not used: 24 outside the picture',
        'many fixations lie outside the picture: are they in its pixels?',
        '2 frames left out, of which only some models have maps',
        'bad: 4 of 34 maps are the same everywhere; where a metric is undefined for them, their '
        'frames count for no model',
    ]


def test_a_fixation_table_may_be_a_file(models, tmp_path):
    path = tmp_path / 'gaze.csv'
    write_fixation_table(gaze(), path)
    assert len(compare(models['good'], path, how=HOW)) == len(
        compare(models['good'], gaze(), how=HOW)
    )


def test_names_of_models():
    with pytest.raises(ValueError, match='is no folder of heatmaps'):
        parse_models(['a=/nowhere/at/all'])


def test_models_are_named_on_the_command_line(models):
    good, bad = models.values()
    assert parse_models([str(good), f'x={bad}']) == {'x': bad, 'good': good}
    with pytest.raises(ValueError, match='a name of its own'):
        parse_models([f'x={good}', f'x={bad}'])
    with pytest.raises(ValueError, match='two folders are called good'):
        parse_models([f'good={bad}', str(good)])
    with pytest.raises(ValueError, match='named twice'):
        parse_models([f'x={bad}', f'y={bad}'])
    with pytest.raises(ValueError, match='a yardstick of our own'):
        compare({'chance': good}, gaze(), how=HOW)


@pytest.mark.parametrize(
    ('text', 'density', 'pixels'), [('20px', None, 20), ('1.5 deg', 10, 15), (None, None, None)]
)
def test_sigma_in_pixels_or_degrees(text, density, pixels):
    assert parse_sigma(text, density) == pixels


@pytest.mark.parametrize(
    ('text', 'density'), [('20', None), ('1deg', None), (None, 3), ('1deg', 0), ('-1px', None)]
)
def test_sigma_without_unit_or_density_is_refused(text, density):
    with pytest.raises(ValueError, match=r'--sigma|--pixels-per-degree'):
        parse_sigma(text, density)
