"""Folders of saliency maps against a folder of flow."""

from pathlib import Path

import numpy as np
import pytest

from mmsal.comparison import FlowComparison, FlowFiles, compare_folders, name_models
from mmsal.comparison.flow import folder as module
from mmsal.comparison.flow.clip import CHANCE, MOTION_OF_OTHERS, OWN
from mmsal.heatmaps import HeatmapSequence, write_heatmaps

SIZES = {'a': (6, 8), 'b': (6, 8), 'c': (6, 8), 'wide': (6, 12)}


def write(path: Path, seed: int, size=(6, 8), count=4, **meta) -> np.ndarray:
    values = np.random.default_rng(seed).uniform(size=(count, *size)).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_heatmaps(HeatmapSequence(values, np.arange(count), {'space': 'source', **meta}), path)
    return values


@pytest.fixture
def folders(tmp_path):
    """Flow of four videos, one of another size, and saliency of two models, as arrays too."""
    arrays = {
        folder: {
            name: write(tmp_path / folder / 'sub' / f'{name}{suffix}', 10 * number + place, size)
            for place, (name, size) in enumerate(SIZES.items())
        }
        for number, (folder, suffix) in enumerate(
            [('flow', '.npz'), ('one', '.txt.gz'), ('two', '.npz')]
        )
    }
    return tmp_path, arrays


def compare(root: Path, models=('one', 'two'), **options):
    flows = FlowFiles({name: root / 'flow' / 'sub' / f'{name}.npz' for name in SIZES})
    stems = {name: f'sub/{name}' for name in SIZES}
    chosen = {model: root / model for model in models}
    return compare_folders(flows, chosen, stems, FlowComparison(**options))


def correlation(one: np.ndarray, two: np.ndarray) -> float:
    return np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(one, two, strict=True)])


def value(results, video, model, reference, metric='CC'):
    keys = ['video', 'model', 'reference', 'level', 'metric', 'convention']
    rows = results.set_index(keys)['value']
    return rows.loc[(video, model, reference, 'video', metric, 'mit')]


@pytest.mark.parametrize('cache', [0, 2**30])
def test_every_video_against_its_own_and_others_flow(folders, monkeypatch, cache):
    monkeypatch.setattr(module, 'CACHE', cache)
    root, arrays = folders
    results, left_out = compare(root)
    assert left_out == []
    assert list(results['video'].unique()) == list(SIZES)
    flow = arrays['flow']
    for model in ('one', 'two'):
        for name, saliency in arrays[model].items():
            own = correlation(saliency, flow[name])
            assert value(results, name, model, OWN) == pytest.approx(own, abs=1e-5)
            others = [one for one in 'abc' if one != name and name != 'wide']
            chance = value(results, name, model, CHANCE)
            if others:
                expected = np.mean([correlation(saliency, flow[one]) for one in others])
                assert chance == pytest.approx(expected, abs=1e-5)
            else:  # the only one of its size
                assert np.isnan(chance)
    mean = np.mean([flow['b'].mean(axis=0), flow['c'].mean(axis=0)], axis=0)
    expected = correlation(np.broadcast_to(mean, flow['a'].shape), flow['a'])
    assert value(results, 'a', MOTION_OF_OTHERS, OWN) == pytest.approx(expected, abs=1e-5)
    assert np.isnan(value(results, 'wide', MOTION_OF_OTHERS, OWN))


def test_chance_of_some_clips_is_drawn_by_the_seed(folders):
    root, arrays = folders
    flow, saliency = arrays['flow'], arrays['one']['a']
    possible = [correlation(saliency, flow[one]) for one in 'bc']
    found = set()
    for seed in range(8):
        results, _ = compare(root, ['one'], chance_clips=1, seed=seed)
        again, _ = compare(root, ['one'], chance_clips=1, seed=seed)
        assert results.equals(again)
        chance = value(results, 'a', 'one', CHANCE)
        found.add(int(np.argmin(np.abs(np.array(possible) - chance))))
        assert np.abs(np.array(possible) - chance).min() < 1e-5
    assert found == {0, 1}


def test_what_cannot_be_compared_is_told_and_the_rest_is_done(folders):
    root, _ = folders
    (root / 'two' / 'sub' / 'a.npz').unlink()
    (root / 'one' / 'sub' / 'b.txt.gz').write_bytes(b'no gzip')
    write(root / 'two' / 'sub' / 'c.txt', 1)
    results, left_out = compare(root)
    assert list(results['video'].unique()) == ['wide']
    assert [reason.split(': ')[0] for reason in left_out[::2]] == ['a', 'c']
    assert 'no maps of two' in left_out[0] and 'sub/a.txt, .txt.gz or .npz' in left_out[0]
    assert 'b.txt.gz' in left_out[1]
    assert 'two files of two, c.txt and c.npz' in left_out[2]
    assert all('\n' not in reason for reason in left_out)
    nothing, reasons = compare(root, ['flow/none'])
    assert nothing.empty and len(reasons) == 4


def test_names_of_models(tmp_path, monkeypatch):
    for name in ('x/maps', 'y/maps', 'other', 'centre bias'):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    one, two, other = tmp_path / 'x' / 'maps', Path('y/maps'), Path('other')
    assert list(name_models([one, other])) == ['maps', 'other']
    assert name_models([one, two]) == {'x/maps': one, 'y/maps': tmp_path / 'y' / 'maps'}
    assert list(name_models([Path('x/maps/'), Path('x/../y/maps')])) == ['x/maps', 'y/maps']
    assert name_models([]) == {}
    for folders, fault in (
        ([one, Path('gone')], 'gone is no folder of heatmaps'),
        ([one, Path('x/maps')], 'is named twice'),
        ([Path('centre bias')], 'called like a baseline'),
    ):
        with pytest.raises(ValueError, match=fault):
            name_models(folders)


@pytest.mark.parametrize(
    ('options', 'fault'),
    [
        ({'sigma': 0}, 'positive sigma'),
        ({'chance_clips': 0}, 'chance_clips of at least 1, got 0'),
        ({'resamples': 0}, 'resamples of at least 1'),
        ({'seed': -1}, 'seed of at least 0'),
    ],
)
def test_numbers_that_make_no_sense(options, fault):
    with pytest.raises(ValueError, match=fault):
        FlowComparison(**options)
