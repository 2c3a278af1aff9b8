"""Scores of one video, against direct loops over the metrics' own functions."""

import numpy as np
import pandas as pd
import pytest

from mmsal.attribution.optical_flow import optical_flow_magnitude
from mmsal.comparison.flow.clip import RESULT_COLUMNS
from mmsal.comparison.flow.maps import FlowSettings
from mmsal.comparison.gaze import GazeComparison
from mmsal.comparison.gaze.matching import VideoFiles
from mmsal.comparison.gaze.scoring import score_video
from mmsal.comparison.gaze.video_data import load_video
from mmsal.comparison.gaze.yardstick_maps import (
    UNIFORM_SHARE,
    frame_random,
    gaussian_of,
    gaze_of_others,
    motion_maps,
    with_uniform,
)
from mmsal.comparison.yardsticks import CEILING, CENTRE_BIAS, CHANCE, MOTION, OTHER_GAZE
from mmsal.datasets.video import read_frames
from mmsal.gaze import fixation_density
from mmsal.heatmaps import HeatmapSequence, write_heatmaps
from mmsal.metrics import auc, auc_shuffled, cc, information_gain, kl_divergence, nss

from .studies import FPS, FRAMES, SIZE, bad_maps, gaze, good_maps, meta, write_videos

SIGMA = 3.0
HOW = GazeComparison(sigma=SIGMA, seed=5)


def files_of(folder, video=0, models=('good', 'bad'), seen=None, **more):
    paths = {}
    for name in models:
        make = good_maps if name == 'good' else bad_maps
        paths[name] = folder / f'{name}.npz'
        write_heatmaps(HeatmapSequence(make(video), np.arange(FRAMES), meta(), seen), paths[name])
    return VideoFiles(f'clip{video + 1}', paths, f'clip{video + 1}.mp4', SIZE, FPS, **more)


def own(table, video=0):
    return table[table['video'] == f'clip{video + 1}.mp4']


def shares(table):
    by_name = dict(iter(table.groupby('video')))
    return {name: part[['x_px', 'y_px']].to_numpy() / SIZE for name, part in by_name.items()}


@pytest.fixture
def study(tmp_path):
    table = gaze()
    data = load_video(files_of(tmp_path), own(table), HOW)
    others = gaze_of_others('clip1.mp4', shares(table), SIZE, SIGMA)
    return table, data, others


def pick(results, **keys):
    chosen = results
    for name, value in keys.items():
        chosen = chosen[chosen[name] == value]
    return chosen


def points_at(table, start, end):
    """By the definition: fixations that overlap an interval."""
    there = table[(table['start_s'] < end - 1e-9) & (table['end_s'] > start + 1e-9)]
    return there[['x_px', 'y_px']].to_numpy(), there['observer'].to_numpy()


def test_frames_equal_the_metrics_own_functions(study):
    table, data, others = study
    results = score_video(data, others, None, HOW)
    assert tuple(results) == RESULT_COLUMNS
    baseline = with_uniform(others.centre_bias)
    for model, maps in {'good': good_maps(0), 'bad': bad_maps(0)}.items():
        maps = maps.astype(np.float32)
        for frame in range(FRAMES):
            points, _ = points_at(own(table), frame / FPS, (frame + 1) / FPS)
            density = fixation_density(points, SIZE, SIGMA)
            rows = pick(results, model=model, level='frame', frame=frame)
            rows = pick(rows, reference='all observers', convention='tuebingen')
            found = rows.set_index('metric')
            one = maps[frame]
            expected = {
                'AUC': auc(one, points),
                'NSS': nss(one, points, 'tuebingen'),
                'CC': cc(one, density, 'tuebingen'),
                'KLD': kl_divergence(one, density, 'tuebingen'),
                'sAUC': auc_shuffled(one, points, others.points, 'tuebingen'),
                'IG': information_gain(one, points, baseline, uniform_share=UNIFORM_SHARE),
            }
            for metric, value in expected.items():
                assert found['value'][metric] == pytest.approx(value, abs=1e-9), metric
            assert (found['n_fixations'] == len(points)).all()


def test_each_observer_is_the_mean_over_observers_and_the_ceiling_leaves_one_out(study):
    table, data, others = study
    results = score_video(data, others, None, HOW)
    frame = 4
    points, observers = points_at(own(table), frame / FPS, (frame + 1) / FPS)
    model, ceiling = [], []
    for name in np.unique(observers):
        mine = points[observers == name]
        model.append(nss(good_maps(0)[frame].astype(np.float32), mine, 'tuebingen'))
        rest = fixation_density(points[observers != name], SIZE, SIGMA)
        ceiling.append(nss(rest, mine, 'tuebingen'))
    rows = pick(results, reference='each observer', level='frame', frame=frame, metric='NSS')
    values = rows.set_index('model')['value']
    assert values['good'] == pytest.approx(np.mean(model), abs=1e-6)
    assert values[CEILING] == pytest.approx(np.mean(ceiling), abs=1e-9)


def test_video_is_the_mean_over_frames_and_static_scores_the_summed_map(study):
    table, data, others = study
    results = pick(score_video(data, others, None, HOW), reference='all observers')
    good = pick(results, model='good', metric='AUC')
    frames = pick(good, level='frame')['value']
    assert pick(good, level='video')['value'].item() == pytest.approx(frames.mean())
    points = own(table)[['x_px', 'y_px']].to_numpy()
    mean = good_maps(0).astype(np.float32).mean(axis=0, dtype=np.float64)
    static = pick(good, level='static')
    assert static['value'].item() == pytest.approx(auc(mean, points), abs=1e-9)
    assert static['n_fixations'].item() == len(points)
    correlation = pick(results, model='good', metric='CC', level='static', convention='mit')
    density = fixation_density(points, SIZE, SIGMA)
    assert correlation['value'].item() == pytest.approx(cc(mean, density), abs=1e-9)


def test_static_scores_of_single_observers_and_their_ceiling(study):
    table, data, others = study
    results = pick(score_video(data, others, None, HOW), level='static', metric='CC')
    results = pick(results, convention='mit')
    mine, rest = (own(table)[rows] for rows in _split(own(table), 'P01'))
    densities = [
        fixation_density(part[['x_px', 'y_px']].to_numpy(), SIZE, SIGMA) for part in (mine, rest)
    ]
    alone = pick(results, reference='observer P01').set_index('model')['value']
    assert alone[CEILING] == pytest.approx(cc(densities[1], densities[0]), abs=1e-9)
    of_all = [pick(results, reference=f'observer P{n:02d}', model='bad') for n in range(4)]
    mean = np.mean([one['value'].item() for one in of_all])
    assert pick(results, reference='each observer', model='bad')['value'].item() == pytest.approx(
        mean
    )


def _split(table, observer):
    mine = table['observer'] == observer
    return mine, ~mine


def test_windows_sum_their_frames_and_count_a_fixation_once(tmp_path):
    how = GazeComparison(sigma=SIGMA, window_s=0.4)
    table = gaze()
    data = load_video(files_of(tmp_path), own(table), how)
    rows = pick(score_video(data, None, None, how), level='window', reference='all observers')
    nss_rows = pick(rows, model='good', metric='NSS', convention='tuebingen')
    assert nss_rows['frame'].tolist() == [0, 4, 8]
    points, _ = points_at(own(table), 0.4, 0.8)
    mean = good_maps(0).astype(np.float32)[4:8].mean(axis=0, dtype=np.float64)
    assert nss_rows['value'].iloc[1] == pytest.approx(nss(mean, points, 'tuebingen'), abs=1e-9)
    assert nss_rows['n_fixations'].iloc[1] == len(points)


def test_yardsticks_are_ordered_as_they_must_be(study, tmp_path):
    _, data, others = study
    video = write_videos(tmp_path / 'videos') / 'clip1.mp4'
    motion = motion_maps(video, data.frames, FlowSettings())
    results = score_video(data, others, motion, HOW)
    rows = pick(results, level='video', metric='AUC', reference='each observer')
    scores = rows.set_index('model')['value']
    assert scores[CHANCE] == 0.5
    assert scores['good'] > max(scores[name] for name in (CHANCE, CENTRE_BIAS, OTHER_GAZE, 'bad'))
    assert scores[MOTION] > scores[CENTRE_BIAS]
    assert scores[CEILING] > 0.9
    gains = pick(results, model=CENTRE_BIAS, metric='IG', level='frame')['value']
    np.testing.assert_allclose(gains, 0, atol=1e-9)


def test_gaze_of_other_videos_is_not_held_against_itself(study):
    _, data, others = study
    rows = pick(score_video(data, others, None, HOW), model=OTHER_GAZE)
    assert pick(rows, metric='sAUC')['value'].isna().all()
    assert pick(rows, metric='AUC')['value'].notna().all()


def test_without_other_videos_what_rests_on_them_is_undefined(study):
    _, data, _ = study
    results = score_video(data, None, None, HOW)
    assert CENTRE_BIAS not in set(results['model'])
    assert pick(results, metric='sAUC')['value'].isna().all()
    assert pick(results, metric='IG')['value'].isna().all()
    assert pick(results, metric='AUC', level='frame')['value'].notna().all()


def test_frames_without_fixations_are_undefined_and_counted_out(tmp_path):
    table = own(gaze())
    table = table[table['start_s'] < 0.5]  # nobody looks at the end
    data = load_video(files_of(tmp_path), table, HOW)
    rows = pick(score_video(data, None, None, HOW), metric='NSS', convention='mit', model='good')
    rows = pick(rows, reference='all observers')
    frames = pick(rows, level='frame')
    assert frames['value'].isna().tolist() == [False] * 6 + [True] * 6
    assert frames['n_fixations'].tolist()[6:] == [0] * 6
    video = pick(rows, level='video')['value'].item()
    assert video == pytest.approx(frames['value'].mean())


def test_only_what_was_seen_counts(tmp_path):
    seen = np.zeros(SIZE[::-1], bool)
    seen[:, 10:30] = True
    table = own(gaze())
    data = load_video(files_of(tmp_path, seen=seen), table, HOW)
    inside = (table['x_px'] >= 10) & (table['x_px'] < 30)
    assert data.counts['unseen'] == (~inside).sum()
    others = gaze_of_others('clip1.mp4', shares(gaze()), SIZE, SIGMA)
    rows = pick(score_video(data, others, None, HOW), level='static', model='good')
    rows = pick(rows, reference='all observers', convention='tuebingen')
    found = rows.set_index('metric')['value']
    cropped = good_maps(0).astype(np.float32).mean(axis=0, dtype=np.float64)[:, 10:30]
    points = table[inside][['x_px', 'y_px']].to_numpy() - (10, 0)
    assert found['NSS'] == pytest.approx(nss(cropped, points, 'tuebingen'), abs=1e-9)
    elsewhere = [one[(one[:, 0] >= 10) & (one[:, 0] < 30)] - (10, 0) for one in others.points]
    shuffled = auc_shuffled(cropped, points, elsewhere, 'tuebingen')
    assert found['sAUC'] == pytest.approx(shuffled, abs=1e-9)


def test_seeds_make_results_again_and_models_share_random_draws(study):
    _, data, others = study
    first = score_video(data, others, None, HOW)
    pd.testing.assert_frame_equal(first, score_video(data, others, None, HOW))
    other = score_video(data, others, None, GazeComparison(sigma=SIGMA, seed=6))
    borji = [pick(one, metric='AUC-Borji', level='frame')['value'] for one in (first, other)]
    assert not np.allclose(*borji)
    assert frame_random(1, 'a', 3).random() == frame_random(1, 'a', 3).random()
    assert frame_random(1, 'a', 3).random() != frame_random(1, 'b', 3).random()
    assert frame_random(1, 'a', -1).random() != frame_random(1, 'a', 0).random()


def test_metrics_and_conventions_can_be_chosen(study):
    _, data, others = study
    how = GazeComparison(sigma=SIGMA, metrics=('NSS', 'CC'), conventions=('mit',))
    results = score_video(data, others, None, how)
    assert set(zip(results['metric'], results['convention'], strict=True)) == {
        ('NSS', 'mit'),
        ('CC', 'mit'),
    }
    with pytest.raises(ValueError, match="got 'nss'"):
        GazeComparison(metrics=('nss',))


def test_gaussian_has_the_moments_of_its_points():
    random = np.random.default_rng(0)
    points = random.normal((60, 40), (6, 3), (500, 2))
    density = gaussian_of(points, (120, 80))
    x, y = np.arange(120) + 0.5, np.arange(80) + 0.5
    assert density.sum() == pytest.approx(1)
    assert density.sum(axis=0) @ x == pytest.approx(points[:, 0].mean(), abs=1e-3)
    spread = density.sum(axis=1) @ (y - points[:, 1].mean()) ** 2
    assert spread == pytest.approx(points[:, 1].var() + 1 / 12, rel=1e-3)
    assert np.isfinite(gaussian_of(np.array([[5.0, 5.0]]), (10, 10))).all()


def test_gaze_of_others_is_stretched_to_this_video():
    shares_of = {
        'a': np.full((4, 2), 0.25),
        'b': np.array([[0.5, 0.75]] * 3),
        'c': np.empty((0, 2)),
    }
    others = gaze_of_others('a', shares_of, (40, 20), 2)
    assert np.allclose(np.concatenate(others.points), (20, 15))
    assert gaze_of_others('c', {'c': np.full((4, 2), 0.5)}, (40, 20), 2) is None


def test_motion_follows_the_square_and_the_last_frame_takes_the_pair_before(tmp_path):
    video = write_videos(tmp_path) / 'clip2.mp4'
    frames = np.array([0, 1, 2, 7, FRAMES - 1])
    flow = list(motion_maps(video, frames, FlowSettings()))
    assert len(flow) == 5
    whole = list(motion_maps(video, np.arange(FRAMES), FlowSettings()))
    for place, frame in enumerate(frames):
        np.testing.assert_array_equal(flow[place], whole[frame])
    np.testing.assert_array_equal(whole[-1], whole[-2])
    pair = optical_flow_magnitude(read_frames(video, [2, 3]))[0]
    np.testing.assert_array_equal(flow[2], pair)
    assert pair.max() > 1


def test_chance_is_what_no_information_scores(study):
    _, data, others = study
    results = pick(score_video(data, others, None, HOW), model=CHANCE, level='static')
    results = pick(results, reference='all observers').set_index(['metric', 'convention'])['value']
    for key in (('AUC', 'tuebingen'), ('sAUC', 'mit'), ('sAUC', 'tuebingen'), ('AUC-Borji', 'mit')):
        assert results[key] == 0.5, key
    for metric in ('NSS', 'CC'):
        assert results[metric, 'mit'] == results[metric, 'tuebingen'] == 0
    assert results['SIM', 'mit'] == results['SIM', 'tuebingen'] > 0
    assert np.isfinite(results['IG', 'tuebingen'])


def test_a_model_gains_nothing_by_being_silent_in_hard_frames(tmp_path):
    files = files_of(tmp_path)
    silent = good_maps(0)
    silent[1:] = 0
    write_heatmaps(HeatmapSequence(silent, np.arange(FRAMES), meta()), files.maps['bad'])
    data = load_video(files, own(gaze()), HOW)
    rows = pick(score_video(data, None, None, HOW), reference='all observers', metric='NSS')
    mit = pick(rows, level='video', convention='mit').set_index('model')
    frames = pick(rows, level='frame', convention='mit', model='good').set_index('frame')
    assert mit['value']['good'] == mit['value']['bad'] == frames['value'][0]  # the one in common
    assert mit['n_fixations']['good'] == frames['n_fixations'][0]
    tuebingen = pick(rows, level='video', convention='tuebingen').set_index('model')['value']
    assert tuebingen['good'] > 5 * tuebingen['bad']  # where silence counts 0


def test_counts_are_those_that_a_row_rests_on(study):
    table, data, _ = study
    results = pick(score_video(data, None, None, HOW), metric='NSS', convention='tuebingen')
    results = pick(results, model='good')
    mine = (own(table)['observer'] == 'P01').sum()
    alone = pick(results, reference='observer P01').set_index('level')['n_fixations']
    assert alone['static'] == mine
    assert alone['video'] == 3 * mine  # each is shown in three frames
    pooled = pick(results, reference='each observer').set_index('level')['n_fixations']
    assert pooled['static'] == len(own(table))


def test_centre_bias_gains_nothing_over_itself_where_a_model_saw_little(tmp_path):
    seen = np.zeros(SIZE[::-1], bool)
    seen[4:20, 10:50] = True
    data = load_video(files_of(tmp_path, seen=seen), own(gaze()), HOW)
    others = gaze_of_others('clip1.mp4', shares(gaze()), SIZE, SIGMA)
    rows = pick(score_video(data, others, None, HOW), model=CENTRE_BIAS, metric='IG')
    np.testing.assert_allclose(rows['value'].dropna(), 0, atol=1e-9)


def test_timestamps_of_single_precision_leave_windows_as_they_are(tmp_path):
    how = GazeComparison(sigma=SIGMA, window_s=0.1, metrics=('AUC',))
    times = tuple((np.arange(FRAMES, dtype=np.float32) / np.float32(FPS)).tolist())
    files = files_of(tmp_path, timestamps=times)
    rows = score_video(load_video(files, own(gaze()), how), None, None, how)
    rows = pick(rows, level='window', reference='all observers', model='good')
    assert rows['frame'].tolist() == list(range(FRAMES))


def test_one_observer_has_no_ceiling_and_no_rows_alone(tmp_path):
    data = load_video(files_of(tmp_path), own(gaze(observers=1)), HOW)
    assert set(score_video(data, None, None, HOW)['reference']) == {'all observers'}
