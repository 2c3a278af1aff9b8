"""The rescaling against the published steps in plain Python, and its properties."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mmsal.attribution.tsr import FORMS, rescale

quickly = settings(max_examples=60, deadline=None)
quantiles = st.floats(0, 1, exclude_max=True)


class Known:
    """Changes that are given; remembers which frames' parts were asked for."""

    def __init__(self, time, parts, rounding=0.0):
        self.rounding = rounding
        self.time, self.parts = torch.as_tensor(time), torch.as_tensor(parts)
        self.asked = None

    def of_frames(self):
        return self.time

    def of_parts(self, frames):
        self.asked = list(frames)
        return self.parts[self.asked]


@st.composite
def tables(draw):
    """Changes of up to 6 frames [T] and of up to 5 parts of each [T, P]; many are alike."""
    length, parts = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    sizes = st.sampled_from([0.0, 1.0, 1.0, 2.0, 5.0]) | st.floats(1e-3, 1e3)
    return draw(arrays(float, length, elements=sizes)), draw(
        arrays(float, (length, parts), elements=sizes)
    )


def stretched(values):
    low, high = min(values), max(values)
    return [(value - low) / (high - low) if high > low else 0.0 for value in values]


def published(time, parts, form, quantile):
    """Contributions [T][P], as Algorithm 1 and the published code have them."""
    official = form == 'official'
    time = stretched(time) if official else list(time)
    threshold = np.quantile(time, quantile)
    rows = []
    for t, weight in enumerate(time):
        if weight > threshold:
            row = stretched(parts[t]) if official else parts[t]
        else:
            row = [0.1 if official else 0.0] * len(parts[t])
        rows.append([weight * value for value in row])
    return rows, [weight > threshold for weight in time]


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('quantile', [0, 0.2, 0.55, 0.9])
def test_equals_the_published_steps(form, quantile):
    generator = np.random.default_rng(0)
    time, parts = generator.exponential(size=11), generator.exponential(size=(11, 6))
    expected, chosen = published(time, parts, form, quantile)
    changes = Known(time, parts)
    found = rescale(changes, form, quantile)
    np.testing.assert_allclose(found.contributions, expected, rtol=1e-12, atol=1e-15)
    assert found.chosen.tolist() == chosen
    assert changes.asked == [t for t in range(11) if chosen[t]]
    assert len(changes.asked) == 11 - 1 - int(quantile * 10)


def test_defaults_are_those_of_the_published_code():
    time, parts = np.arange(9.0), np.arange(18.0).reshape(9, 2) ** 2
    expected, _ = published(time, parts, 'official', 0.55)
    np.testing.assert_allclose(rescale(Known(time, parts)).contributions, expected, rtol=1e-12)


@quickly
@given(tables(), st.sampled_from(FORMS), quantiles)
def test_holds_for_whatever_changes(table, form, quantile):
    time, parts = table
    found = rescale(Known(time, parts), form, quantile)
    for values in (found.contributions, found.time, found.parts):
        assert bool(torch.isfinite(values).all())
        assert bool((values >= 0).all())
        assert form == 'paper' or bool((values <= 1).all())
    product = np.einsum('t,tp->tp', found.time, found.parts)
    np.testing.assert_allclose(found.contributions, product)
    threshold = np.quantile(found.time, quantile)
    slack = 1e-9 * max(time)  # numpy's quantile and torch's round differently
    for weight, chosen, row in zip(found.time, found.chosen, found.parts, strict=True):
        if abs(weight - threshold) > slack:
            assert bool(chosen) == bool(weight > threshold)
        if not chosen:
            assert (row == (0.1 if form == 'official' else 0)).all()


@quickly
@given(tables(), quantiles, st.integers(-20, 20))
def test_official_form_knows_no_unit(table, quantile, power):
    """Changes that are all larger by a factor; a power of 2, with which nothing is rounded."""
    time, parts = table
    found = rescale(Known(time, parts), 'official', quantile)
    scaled = rescale(Known(time * 2.0**power, parts * 2.0**power), 'official', quantile)
    assert torch.equal(scaled.contributions, found.contributions)
    assert torch.equal(scaled.chosen, found.chosen)


@quickly
@given(tables(), quantiles)
def test_the_paper_form_keeps_the_unit(table, quantile):
    time, parts = table
    found = rescale(Known(time, parts), 'paper', quantile)
    assume(found.chosen.any())
    assert torch.equal(found.time, torch.as_tensor(time))
    assert torch.equal(found.parts[found.chosen], torch.as_tensor(parts)[found.chosen])
    doubled = rescale(Known(2 * time, 2 * parts), 'paper', quantile)
    assert torch.equal(doubled.contributions, 4 * found.contributions)


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('value', [0.0, 0.1, 3.0])
def test_frames_that_are_all_alike(form, value):
    """None is above the quantile, so that no part is looked at; 0, not 0 / 0."""
    changes = Known(np.full(4, value), np.ones((4, 3)))
    found = rescale(changes, form)
    assert changes.asked == []
    assert not found.chosen.any()
    assert (found.contributions == 0).all()


def test_rounding_is_not_stretched():
    """Changes of 1e-9 are rounding here, of 1e-3 they are not."""
    time, parts = np.array([1.0, 2.0, 4.0]), np.array([[1.0, 3.0]] * 3)
    for scale, counts in ((1e-9, False), (1e-3, True)):
        found = rescale(Known(scale * time, scale * parts, 1e-6), quantile=0)
        assert bool(found.time.any()) == counts
        assert bool(found.contributions.any()) == counts
        assert found.time.isfinite().all()
    kept = rescale(Known(1e-9 * time, 1e-9 * parts, 1e-6), 'paper', 0)
    assert kept.contributions.any()


def test_parts_that_are_all_alike_count_nothing():
    found = rescale(Known(np.arange(4.0), np.full((4, 3), 0.1)), quantile=0)
    assert found.chosen.tolist() == [False, True, True, True]
    assert (found.contributions[1:] == 0).all()


@pytest.mark.parametrize(
    ('form', 'quantile', 'message'),
    [
        ('mine', 0.5, "expected form to be one of official, paper, got 'mine'"),
        ('paper', 1, 'expected quantile from 0 to below 1, got 1'),
        ('paper', -0.1, 'expected quantile from 0 to below 1, got -0.1'),
        ('paper', float('nan'), 'expected quantile from 0 to below 1, got nan'),
        ('paper', '0.5', "expected quantile to be a number, got '0.5'"),
        ('paper', True, 'expected quantile to be a number, got True'),
    ],
)
def test_refuses(form, quantile, message):
    with pytest.raises(ValueError, match=message):
        rescale(Known(np.ones(3), np.ones((3, 2))), form, quantile)
