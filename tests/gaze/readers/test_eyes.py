"""Pairs of fixations of both eyes, against a search over all pairs."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsal.gaze.readers.eyes import mean_of_eyes, one_eye


def table(*rows):
    return pd.DataFrame(rows, columns=['eye', 'start', 'end', 'x', 'y'])


@pytest.mark.parametrize('long', ['left', 'right'])
def test_a_fixation_is_paired_once(long):
    short = {'left': 'right', 'right': 'left'}[long]
    both = table((long, 100, 500, 10.0, 10.0), (short, 90, 300, 20.0, 20.0),
                 (short, 320, 500, 90.0, 90.0))  # fmt: skip
    pairs = mean_of_eyes(both)
    assert pairs[['start', 'end', 'x', 'y']].to_numpy().tolist() == [[100, 300, 15, 15]]
    assert one_eye(both, 'mean', 'file')[1] == {'one_eye_alone': 1}


def test_fixations_that_only_meet_are_no_pair():
    assert mean_of_eyes(table(('left', 0, 10, 1, 1), ('right', 10, 20, 1, 1))).empty


spans = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 200)), max_size=6)


def in_order(eye, gaps_and_lengths):
    clock, rows = 0, []
    for number, (gap, length) in enumerate(gaps_and_lengths):
        rows.append((eye, clock + gap, clock + gap + length, float(number), 0.0))
        clock += gap + length
    return rows


@settings(max_examples=100, deadline=None)
@given(spans, spans)
def test_pairs_share_most_time_with_each_other(left_spans, right_spans):
    lefts, rights = in_order('left', left_spans), in_order('right', right_spans)

    def shared(one, other):
        return min(one[2], other[2]) - max(one[1], other[1])

    expected = [
        [max(a[1], b[1]), min(a[2], b[2]), (a[3] + b[3]) / 2]
        for a in lefts
        for b in rights
        if shared(a, b) > 0
        # Of equal ones the first counts.
        and max(rights, key=lambda other: shared(a, other)) is b
        and max(lefts, key=lambda other: shared(other, b)) is a
    ]
    pairs = mean_of_eyes(table(*lefts, *rights))
    assert pairs[['start', 'end', 'x']].to_numpy().tolist() == expected
