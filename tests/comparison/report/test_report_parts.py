"""Names, numbers, pages of videos, sprite sheets, plots."""

import json
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import colormaps
from PIL import Image

from mmsal.comparison.report import VideoPage
from mmsal.comparison.report.axes import find_axes
from mmsal.comparison.report.courses import TimedRows, time_courses
from mmsal.comparison.report.files import rounded, slugs, write_script
from mmsal.comparison.report.tables import video_scores
from mmsal.visualization.metric_plot import Estimate, write_metric_plot
from mmsal.visualization.sprite import colour_map, shrink, write_sprites

from .made_up import make_results, make_summary


@given(st.lists(st.text(max_size=80), max_size=30))
def test_slugs_are_safe_and_differ(names):
    given_slugs = slugs(names)
    assert set(given_slugs) == set(names)
    assert len({slug.lower() for slug in given_slugs.values()}) == len(set(names))
    assert all(re.fullmatch('[a-z0-9-]{1,64}', slug) for slug in given_slugs.values())


def test_slugs_stay_readable_where_names_fall_together():
    names = ['Ä/b.avi', 'a b_AVI', '視頻', '?', 'a-b-avi-2']
    assert list(slugs(names).values()) == [
        'a-b-avi',
        'a-b-avi-2',
        'video',
        'video-2',
        'a-b-avi-2-2',
    ]


@given(st.text())
def test_scripts_hold_any_text_and_close_no_element(tmp_path_factory, text):
    path = tmp_path_factory.mktemp('script') / 'x.js'
    write_script(path, 'x', {'name': text})
    script = path.read_text(encoding='ascii')
    value = script.split('mmsal.x = ')[1].rstrip(';\n')
    assert json.loads(value) == {'name': text}
    assert not set('<>&') & set(script)


def test_digits_nan_and_infinity_of_numbers(tmp_path):
    assert rounded([0.123456, 123456.0, np.inf]) == [0.1235, 123500.0, np.inf]
    write_script(tmp_path / 'x.js', 'x', rounded([np.nan, -np.inf]))
    assert 'mmsal.x = [NaN,-Infinity];' in (tmp_path / 'x.js').read_text()


def page(frames=4, **changes) -> VideoPage:
    parts = {
        'video': 'v',
        'frame_indices': np.arange(frames) * 2,
        'times_s': np.arange(frames) / 10,
        'source': np.zeros((frames, 6, 8, 3), np.uint8),
        'density': np.zeros((frames, 3, 4)),
        'maps': {'net': np.zeros((frames, 5, 5))},
        'fixations': [np.zeros((n % 3, 2)) for n in range(frames)],
        'size': (8, 6),
    }
    return VideoPage(**{**parts, **changes})


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'frame_indices': np.arange(0)}, 'at least one frame'),
        ({'frame_indices': np.array([0, 1, 1, 2])}, 'ascending frame_indices'),
        ({'times_s': np.array([0.0, 0.2, 0.1, 0.3])}, 'ascending times_s'),
        ({'times_s': np.array([0.0, np.nan, 0.1, 0.3])}, 'ascending times_s'),
        ({'times_s': np.zeros(3)}, r'times_s of shape \[4\], got \[3\]'),
        ({'source': np.zeros((4, 6, 8), np.uint8)}, r'source of shape \[4, any, any, 3\]'),
        ({'source': np.zeros((4, 6, 8, 3))}, 'uint8, got float64'),
        ({'density': np.zeros((3, 3, 4))}, 'density of shape'),
        ({'maps': {'net': np.zeros((4, 5))}}, 'map of net'),
        ({'fixations': [np.zeros((0, 2))]}, 'fixations of 4 frames, got 1'),
        ({'fixations': [np.zeros((1, 3))] * 4}, 'fixations of a frame'),
        ({'size': (0, 6)}, 'size'),
    ],
)
def test_pages_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=f'v: expected .*{message}'):
        page(**changes)


@given(st.integers(1, 40), st.integers(1, 40))
def test_thinned_pages_keep_what_belongs_together(frames, most):
    whole = page(frames, density=np.arange(frames)[:, None, None] * np.ones((1, 3, 4)))
    thin = whole.thinned(most)
    assert len(thin.frame_indices) == min(frames, most)
    assert thin.frame_indices[0] == 0
    if most > 1:
        assert thin.frame_indices[-1] == whole.frame_indices[-1]
    np.testing.assert_array_equal(thin.density[:, 0, 0] * 2, thin.frame_indices)
    np.testing.assert_allclose(thin.times_s * 20, thin.frame_indices)
    assert [len(points) for points in thin.fixations] == [n // 2 % 3 for n in thin.frame_indices]
    gaps = np.diff(thin.frame_indices)
    assert not len(gaps) or gaps.max() - gaps.min() <= 2


def test_pages_without_source_are_thinned_and_none_is_too_few():
    assert page(source=None).thinned(2).source is None
    with pytest.raises(ValueError, match='at least 1 frame'):
        page().thinned(0)


@given(
    st.integers(1, 30), st.integers(1, 70), st.integers(1, 90), st.integers(0, 255), st.booleans()
)
@settings(max_examples=30, deadline=None)
def test_every_picture_is_where_the_sheets_say(tmp_path_factory, count, height, width, base, large):
    """Read back with PIL: solid colours and their neighbours do not mix."""
    folder = tmp_path_factory.mktemp('sheets')
    if large:
        height, width = height * 9, width * 9  # several sheets
    colours = (np.arange(count)[:, None] * [83, 157, 211] + base) % 256
    pictures = (np.full((height, width, 3), colour, np.uint8) for colour in colours)
    sheets = write_sprites(pictures, folder, 'x')
    assert sheets.tile == (width, height)
    for place, colour in enumerate(colours):
        with Image.open(folder / sheets.files[place // sheets.per_sheet]) as image:
            assert max(image.size) <= 2048
            at = place % sheets.per_sheet
            left = at % sheets.columns * sheets.pitch[0]
            top = at // sheets.columns * sheets.pitch[1]
            tile = np.asarray(image.crop((left, top, left + width, top + height)), dtype=int)
        assert np.abs(tile - colour).max() <= 6


def test_sheets_refuse_what_they_cannot_hold(tmp_path):
    with pytest.raises(ValueError, match='no pictures'):
        write_sprites(iter(()), tmp_path, 'x')
    with pytest.raises(ValueError, match='at most 2048 pixels, got 2049x1'):
        write_sprites(iter([np.zeros((1, 2049, 3), np.uint8)]), tmp_path, 'x')
    odd = [np.zeros((2, 2, 3), np.uint8), np.zeros((2, 3, 3), np.uint8)]
    with pytest.raises(ValueError, match='expected pictures of shape'):
        write_sprites(iter(odd), tmp_path, 'x')


def test_maps_are_coloured_by_their_share_of_the_largest_value():
    table = (colormaps['viridis'](np.arange(256))[:, :3] * 255).round()
    values = np.array([[0.0, 1.0], [2.0, np.nan]])
    coloured = colour_map(values)
    np.testing.assert_array_equal(coloured[0, 0], table[0])
    np.testing.assert_array_equal(coloured[0, 1], table[128])
    np.testing.assert_array_equal(coloured[1, 0], table[255])
    np.testing.assert_array_equal(coloured[1, 1], [128, 128, 128])
    np.testing.assert_array_equal(colour_map(values * 1e-3)[0], coloured[0])
    assert (colour_map(np.zeros((2, 2))) == table[0]).all()
    assert (colour_map(np.full((2, 2), 3.0)) == table[255]).all()
    below = colour_map(np.array([[-1.0, 0.0, 1.0]]))
    np.testing.assert_array_equal(below[0], table[[0, 128, 255]])
    assert (colour_map(np.full((2, 2), np.nan)) == 128).all()


@pytest.mark.parametrize(
    ('shape', 'size', 'most', 'wanted'),
    [
        ((360, 640), (1280, 720), 320, (180, 320)),
        ((7, 7), (1280, 720), 320, (7, 12)),  # stretched over the source, so wider
        ((90, 160), (160, 90), 320, (90, 160)),
        ((400, 300), (300, 400), 200, (200, 150)),
        ((5, 2000), (2000, 5), 100, (1, 100)),
    ],
)
def test_pictures_shrink_to_the_proportions_of_the_source(shape, size, most, wanted):
    assert shrink(np.ones(shape, np.float32), size, most).shape == wanted
    assert shrink(np.ones((*shape, 3), np.uint8), size, most).shape == (*wanted, 3)


def test_scores_of_videos_are_those_of_the_results():
    results = make_results(['a', 'b', 'c'], frames=20)
    axes = find_axes(make_summary(results))
    videos = ['c', 'a', 'b']
    means = results.groupby(['level', 'reference', 'convention', 'metric', 'model', 'video'])
    wanted = means['value'].mean()
    count = 0
    for (level, reference, convention), metrics in video_scores(results, axes, videos):
        for metric, models in metrics:
            for model, values in zip(axes.models, models, strict=True):
                for video, value in zip(videos, values, strict=True):
                    key = (axes.levels[level], axes.references[reference])
                    key += (axes.conventions[convention], axes.metrics[metric], model, video)
                    assert value == pytest.approx(wanted.get(key, np.nan), rel=1e-3, nan_ok=True)
                    count += np.isfinite(value)
    assert count == wanted.drop('frame', level='level').notna().sum()


def test_time_courses_are_the_frames_of_the_results():
    results = make_results(['a', 'b'], frames=20)
    results = results.sample(frac=1, random_state=0)
    axes = find_axes(make_summary(results))
    frames = np.arange(0, 20, 2)
    frame, window = time_courses(TimedRows(results, axes).of('b'), axes, frames, frames / 10)
    assert window['level'] == 'window' and window['frames'] == [0, 10]
    assert frame['frames'] == list(range(20))
    assert frame['times'][:4] == pytest.approx([0, 0.1, 0.2, 0.3])
    keys = ['video', 'level', 'reference', 'metric', 'convention', 'model', 'frame']
    table = results.set_index(keys)['value'].sort_index()
    checked = 0
    for reference, metric, convention, lines in frame['series']:
        for model, values in lines:
            key = ('b', 'frame', axes.references[reference], axes.metrics[metric], convention)
            wanted = table.loc[(*key, axes.models[model])].sort_index().to_numpy()
            assert values == pytest.approx(wanted, rel=1e-3, nan_ok=True)
            checked += len(values)
    assert checked == (results['video'].eq('b') & results['level'].eq('frame')).sum()
    assert time_courses(TimedRows(results, axes).of('c'), axes, frames, frames / 10) == []


def test_a_single_observer_does_not_get_into_the_switch():
    results = make_results(['a'], frames=10)
    one = results.assign(reference='observer P01')
    summary = make_summary(pd.concat([results, one]))
    kept = summary[summary['reference'] != 'observer P01']
    assert find_axes(kept).references == ('all observers', 'each observer')
    axes = find_axes(kept)
    rows = TimedRows(pd.concat([one, results]), axes).of('a')
    assert set(rows['reference']) == set(axes.references)


def test_plots_are_well_formed_and_the_same_every_time(tmp_path):
    models = [
        Estimate('net <b>&"$x^2$\x00--> ]]>', 0.5, 0.4, 0.6),
        Estimate('a ' * 60, np.nan, np.nan, np.nan),
        Estimate('視頻', 0.7, np.nan, np.nan),
        Estimate('', 0.7, 0.7000001, 0.7000001),
    ]
    yardsticks = [Estimate('chance', 0.1, 0.0, 0.2, ':')]
    for name in ('one', 'two'):
        write_metric_plot(
            models, yardsticks, tmp_path / name, 'KLD (MIT) $', True, 'SYNTHETIC data'
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'one.pdf', 'one.svg', 'two.pdf', 'two.svg',
    ]  # fmt: skip
    ElementTree.parse(tmp_path / 'one.svg')
    pdf = (tmp_path / 'one.pdf').read_bytes()
    assert pdf.startswith(b'%PDF') and b'/Type3' not in pdf
    for kind in ('svg', 'pdf'):
        one, two = ((tmp_path / f'{name}.{kind}').read_bytes() for name in ('one', 'two'))
        assert one == two
    with pytest.raises(ValueError, match='nothing to plot'):
        write_metric_plot([], [], tmp_path / 'none', '')


@pytest.mark.parametrize('lower', [True, False])
def test_plots_draw_values_and_lines_where_they_are(tmp_path, lower):
    """Markers in the SVG lie in the proportions of the numbers, and say the direction."""
    models = [Estimate(str(value), value, np.nan, np.nan) for value in (0.0, 1.0, 4.0)]
    write_metric_plot(models, [Estimate('chance', 2.0, 1, 3, ':')], tmp_path / 'x', 'NSS', lower)
    text = (tmp_path / 'x.svg').read_text()
    assert f'<!-- {"lower" if lower else "higher"} is better -->' in text
    places = {}
    for colour in ('#0072b2', '#b34700', '#00735a'):
        use = re.search(rf'<use [^>]*x="([\d.]+)"[^>]*fill: {colour}', text)
        places[colour] = float(use[1])
    first, second, third = places.values()
    assert (third - first) == pytest.approx(4 * (second - first), rel=1e-3)
    dotted = re.search(r'd="M ([\d.]+) [\d.]+ \nL \1 [^"]*"[^>]*stroke-dasharray', text)
    assert float(dotted[1]) == pytest.approx((first + third) / 2, abs=0.01)
