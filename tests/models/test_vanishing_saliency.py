"""The effect of Ismail et al. 2019 (arXiv 1910.12370), reproduced on SYNTHETIC boxes.

Trained and measured as benchmarks/vanishing_saliency.py does, whose results for more trainings and
other boxes are in benchmarks/results/vanishing_saliency.md; the bounds here lie far inside the
ranges found there.
"""

import importlib.util
import statistics
import sys

import pytest
import torch

from tests.conftest import ROOT

SEEDS = (0, 1)
CELLS = ('lstm', 'input_cell_attention')


@pytest.fixture(scope='module')
def found():
    """Of each cell one result per seed: an early box in 40 steps of 20 features."""
    path = ROOT / 'benchmarks' / 'vanishing_saliency.py'
    spec = importlib.util.spec_from_file_location(path.stem, path)
    benchmark = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = benchmark  # dataclasses look their module up
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        spec.loader.exec_module(benchmark)
        sizes = dict(steps=40, features=20, samples=600, held_out=60)
        return {
            cell: [benchmark.measure(cell, 'early', seed, **sizes)['gradient'] for seed in SEEDS]
            for cell in CELLS
        }
    finally:
        torch.set_num_threads(threads)
        del sys.modules[path.stem]


def mean(results, name):
    return statistics.mean(getattr(one, name) for one in results)


def test_both_networks_tell_the_classes_of_new_samples_apart(found):
    """So whatever their saliency says, the box is what they decide by."""
    for cell in CELLS:
        assert min(one.accuracy for one in found[cell]) > 0.9, cell


def test_the_saliency_of_an_lstm_misses_an_early_box(found):
    results = found['lstm']
    assert mean(results, 'density') < 0.3
    assert mean(results, 'jaccard') < 0.5 * mean(results, 'jaccard_shuffled')
    # Farther from the box than a map of zeros is.
    assert mean(results, 'distance') > 1


def test_the_attention_cell_repairs_it(found):
    lstm, attention = (found[cell] for cell in CELLS)
    assert mean(attention, 'jaccard') > 3 * mean(lstm, 'jaccard')
    assert mean(attention, 'distance') < mean(lstm, 'distance') - 0.01
    assert mean(attention, 'density') > 0.6
