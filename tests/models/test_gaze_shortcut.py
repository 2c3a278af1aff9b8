"""A gaze loss keeps a network off a planted shortcut, and shuffled gaze does not: SYNTHETIC clips.

One seed of benchmarks/gaze_shortcut.py, whose results for five are in
benchmarks/results/gaze_shortcut_cpu.md; all of these keep the bounds here with room to spare.
"""

import importlib
import logging

import numpy as np
import pandas as pd
import pytest
import torch
from mmengine.registry import DefaultScope

from mmsal.datasets.kth_sequences import OFFICIAL_SPLIT
from mmsal.datasets.synthetic import make_clips
from tests.conftest import ROOT

SEED = 1
CONDITIONS = ('class-loss', 'gaze-attention', 'shuffled-attention')


@pytest.fixture(scope='module')
def benchmark():
    """The benchmark, imported as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / 'benchmarks'))
        return importlib.import_module('gaze_shortcut')


@pytest.fixture(scope='module')
def found(benchmark, tmp_path_factory):
    """What each condition's network does with held-out persons, one training each."""
    folder = tmp_path_factory.mktemp('clips')
    persons = [*OFFICIAL_SPLIT['train'], *OFFICIAL_SPLIT['test']]
    make_clips(folder, persons=persons, scenarios=(1, 3), evidence='legs')
    settings = benchmark.Settings(folder)
    threads, random_state = torch.get_num_threads(), np.random.get_state()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    try:
        with DefaultScope.overwrite_default_scope('mmaction'):
            return {
                name: benchmark.run(settings, name, benchmark.CONDITIONS[name], SEED)
                for name in CONDITIONS
            }
    finally:
        logging.disable(logging.NOTSET)
        torch.set_num_threads(threads)
        np.random.set_state(random_state)


@pytest.mark.slow
def test_the_class_loss_alone_falls_for_the_cue(found):
    plain = found['class-loss']
    assert plain['accuracy/class'] > 0.9
    assert plain['accuracy/none'] < 0.8
    assert plain['accuracy/other'] < 0.4


@pytest.mark.slow
def test_with_gaze_it_does_without_the_cue(found):
    plain, gaze = found['class-loss'], found['gaze-attention']
    assert gaze['accuracy/none'] > max(0.85, plain['accuracy/none'] + 0.1)
    assert gaze['accuracy/other'] > plain['accuracy/other'] + 0.3
    for score, gain in (
        ('nss/class/none', 0.1),
        ('cc/class/none', 0.05),
        ('nss/attention/none', 0.5),
    ):
        assert gaze[score] > plain[score] + gain, score


@pytest.mark.slow
def test_shuffled_gaze_does_not_help(found):
    shuffled, gaze = found['shuffled-attention'], found['gaze-attention']
    assert shuffled['accuracy/none'] < 0.8
    assert shuffled['accuracy/other'] < 0.4
    assert gaze['nss/attention/none'] > shuffled['nss/attention/none'] + 0.3


@pytest.mark.parametrize('seed', range(3))
def test_shuffling_gives_every_video_the_gaze_of_another_person(benchmark, seed):
    videos = [
        f'person{person:02d}_{action}_d{scenario}_uncomp.avi'
        for person in range(1, 9)
        for action in ('running', 'walking')
        for scenario in (1, 3)
    ]
    # What a row is, x tells: the number of its video.
    table = pd.DataFrame(
        {'video': np.repeat(videos, 3), 'x_px': np.repeat(np.arange(len(videos)), 3), 'y_px': 1.0}
    )
    shuffled = importlib.import_module('shortcut_training').shuffle_gaze(table, videos, seed)
    assert sorted(shuffled['video']) == sorted(table['video'])
    sources = shuffled.groupby('video')['x_px'].unique()
    assert all(len(source) == 1 for source in sources)
    assert sorted(int(source[0]) for source in sources) == list(range(len(videos)))
    for video, source in sources.items():
        assert videos[int(source[0])][:8] != video[:8]


def test_intervals_are_those_of_the_textbook(benchmark):
    """Mean 3, sd sqrt(2.5), n 5: t(0.975, 4) = 2.7764, so 2.7764 * 1.5811 / 2.2361 = 1.963."""
    assert benchmark.interval(np.array([1.0, 2, 3, 4, 5])) == '3.000 ± 1.963'


def test_differences_are_paired_by_seed(benchmark):
    rows = [
        {'condition': name, 'seed': seed, **dict.fromkeys(benchmark.COLUMNS, seed + gain)}
        for name, gain in (('class-loss', 0.0), ('gaze-class', 0.25))
        for seed in (0, 1, 2)
    ]
    lines = benchmark.report(pd.DataFrame(rows))
    assert lines[2].startswith('| class-loss | 3 | 1.000 ± 2.484 |')
    assert lines[-1].startswith('| gaze-class - class-loss | 3 | 0.250 ± 0.000 |')
