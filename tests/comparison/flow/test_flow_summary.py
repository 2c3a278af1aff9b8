"""Means, differences and intervals over videos, and the picture of them."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mmsal.comparison import bootstrap_interval, headlines, summarize_flow
from mmsal.comparison.flow.clip import CENTRE_BIAS, CHANCE, MEASURES, MOTION_OF_OTHERS, OWN
from mmsal.comparison.flow.report import draw_panels
from mmsal.visualization.flow_plot import Group, Panel, write_paired_plot

PAIRS = (('net', OWN), ('net', CHANCE), (CENTRE_BIAS, OWN), (MOTION_OF_OTHERS, OWN))


def table_of(values: dict) -> pd.DataFrame:
    """A results table from frame values per (model, reference): [videos][frames]."""
    rows = []
    for metric, convention, _ in MEASURES:
        for (model, reference), videos in values.items():
            for number, frames in enumerate(videos):
                key = (f'{number}.avi', model, reference)
                for frame, value in enumerate(frames):
                    rows.append((*key, 'frame', frame, metric, convention, value))
                known = [value for value in frames if not np.isnan(value)]
                mean = np.mean(known) if known else np.nan
                rows.append((*key, 'video', None, metric, convention, mean))
    columns = ['video', 'model', 'reference', 'level', 'frame', 'metric', 'convention', 'value']
    return pd.DataFrame(rows, columns=columns).astype({'frame': 'Int64'})


VALUES = {
    PAIRS[0]: [[0.5, 0.7], [0.2, 0.4], [0.9, np.nan]],
    PAIRS[1]: [[0.1, 0.1], [0.3, 0.3], [0.2, np.nan]],
    PAIRS[2]: [[0.4, 0.4], [0.4, 0.4], [0.4, 0.8]],
    PAIRS[3]: [[np.nan, np.nan], [0.1, 0.1], [0.1, 0.1]],
}


def row(summary: pd.DataFrame, model: str, reference: str) -> pd.Series:
    index = ['model', 'reference', 'metric', 'convention']
    return summary.set_index(index).loc[(model, reference, 'SIM', 'tuebingen')]


def test_means_and_counts():
    summary = summarize_flow(table_of(VALUES))
    own = row(summary, 'net', OWN)
    assert own['mean'] == pytest.approx((0.6 + 0.3 + 0.9) / 3)
    assert own[['videos', 'undefined_videos', 'undefined_frames']].tolist() == [3, 0, 1]
    assert own['low'] == pytest.approx(0.3) and own['high'] == pytest.approx(0.9)
    others = row(summary, MOTION_OF_OTHERS, OWN)
    assert others['mean'] == pytest.approx(0.1)
    assert others[['videos', 'undefined_videos', 'undefined_frames']].tolist() == [2, 1, 2]
    assert len(summary) == len(MEASURES) * (len(PAIRS) + 3)


def test_differences_are_taken_within_frames():
    summary = summarize_flow(table_of(VALUES))
    chance = row(summary, 'net', 'flow minus flow of other clips')
    assert chance['mean'] == pytest.approx((0.5 + 0.0 + 0.7) / 3)
    centre = row(summary, 'net minus centre bias', OWN)
    # The last video's second frame has no value of the model, so the centre's 0.8 is left out.
    assert centre['mean'] == pytest.approx((0.2 - 0.1 + 0.5) / 3)
    assert centre['undefined_frames'] == 1
    motion = row(summary, 'net minus mean flow of other clips', OWN)
    assert motion['mean'] == pytest.approx((0.2 + 0.8) / 2)
    assert motion[['videos', 'undefined_videos', 'undefined_frames']].tolist() == [2, 1, 3]


def test_a_difference_that_is_always_the_same_is_certain():
    values = {
        PAIRS[0]: [[0.5], [0.9], [0.1]],
        PAIRS[1]: [[0.3], [0.7], [-0.1]],
        PAIRS[2]: VALUES[PAIRS[2]],
        PAIRS[3]: VALUES[PAIRS[3]],
    }
    summary = summarize_flow(table_of(values))
    difference = row(summary, 'net', 'flow minus flow of other clips')
    assert difference[['low', 'mean', 'high']].tolist() == pytest.approx([0.2] * 3)
    own = row(summary, 'net', OWN)
    assert own['high'] - own['low'] > 0.3


def test_one_video_has_no_interval():
    values = {pair: [frames[0]] for pair, frames in VALUES.items()}
    summary = summarize_flow(table_of(values))
    own = row(summary, 'net', OWN)
    assert own['mean'] == pytest.approx(0.6) and own[['low', 'high']].isna().all()
    assert 'undefined' in headlines(summary)[1] and '[' not in ''.join(headlines(summary))


def test_headlines_are_the_numbers_of_the_summary():
    table = table_of(VALUES)
    table.loc[table['metric'] == 'CC', 'value'] /= 2
    lines = headlines(summarize_flow(table))
    assert lines[0] == (
        'CC of net with the flow 0.300 [0.150, 0.450], with the flow of other clips 0.100, '
        'difference 0.200 [0.000, 0.350]'
    )
    assert lines[3] == (
        'SIM of the baselines with the flow: centre bias 0.467, mean flow of other clips 0.100'
    )
    assert len(lines) == 4


def test_bootstrap_of_a_large_sample_is_the_normal_interval():
    values = np.random.default_rng(0).normal(5, 2, 400)
    low, high = bootstrap_interval(values)
    error = values.std(ddof=1) / 20
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)
    narrow = bootstrap_interval(values, level=0.5)
    assert narrow[1] - narrow[0] == pytest.approx(2 * 0.674 * error, rel=0.05)


def test_bootstrap_of_few_values():
    assert bootstrap_interval(np.array([3.0, 3.0])) == (3, 3)
    # Two values give their mean with 1/2 and each itself with 1/4: more than the tail of 1/40.
    assert bootstrap_interval(np.array([0.0, 1.0])) == (0, 1)
    for values in ([], [2.0]):
        assert np.isnan(bootstrap_interval(np.array(values))).all()


def test_the_seed_decides():
    values = np.random.default_rng(0).normal(size=30)
    assert bootstrap_interval(values, 7) == bootstrap_interval(values, 7)
    assert bootstrap_interval(values, 7) != bootstrap_interval(values, 8)


def test_panels_show_the_tables():
    table = table_of(VALUES)
    summary = summarize_flow(table)
    panels = draw_panels(table, summary)
    assert [panel.title for panel in panels] == ['CC', 'SIM (MIT)', 'SIM (Tübingen)']
    own, chance = panels[2].pairs['net']
    np.testing.assert_allclose(own.values, [0.6, 0.3, 0.9])
    np.testing.assert_allclose(chance.values, [0.1, 0.3, 0.2])
    expected = row(summary, 'net', OWN)
    assert (own.mean, own.low, own.high) == tuple(expected[['mean', 'low', 'high']])
    assert panels[2].lines == pytest.approx({CENTRE_BIAS: 1.4 / 3, MOTION_OF_OTHERS: 0.1})


def picture(path, values, lines=None) -> np.ndarray:
    first = Group(np.array(values), float(np.nanmean(values)), 0.2, 0.4)
    second = Group(np.array(values) / 2, np.nan, np.nan, np.nan)
    panel = Panel('CC', {'a model': (first, second)}, lines or {})
    write_paired_plot([panel], ('own', 'others'), path, 'a title')
    with Image.open(path) as image:
        assert image.format == 'PNG'
        return np.asarray(image.convert('RGB')).astype(int)


def test_the_picture(tmp_path):
    one = picture(tmp_path / 'a.png', [0.1, 0.3, np.nan])
    blue = (one[..., 2] - one[..., 0]) > 100  # tab:blue, the dots of the first model
    assert 100 < blue.sum() < 5000
    more = picture(tmp_path / 'b.png', [0.1, 0.2, 0.3])
    assert ((more[..., 2] - more[..., 0]) > 100).sum() > 1.3 * blue.sum()
    with_line = picture(tmp_path / 'c.png', [0.1, 0.3, np.nan], {'centre': 0.25, 'none': np.nan})
    assert (with_line.sum(axis=2) < 60).sum() > (one.sum(axis=2) < 60).sum()
    assert {path.name for path in tmp_path.iterdir()} == {'a.png', 'b.png', 'c.png'}
    with pytest.raises(ValueError, match='nothing to plot'):
        write_paired_plot([], ('own', 'others'), tmp_path / 'd.png')
