"""Paths and names that mean the same video are paired, and doubts are told."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsal.gaze import VideoNames, pair_names


@pytest.mark.parametrize(
    ('stems', 'names', 'pairs'),
    [
        (['a', 'b'], ['b.avi', 'a'], {'a': 'a', 'b': 'b.avi'}),
        (['walking/a'], ['a.mp4'], {'walking/a': 'a.mp4'}),
        (['a'], ['KTH\\walking\\a.AVI'], {'a': 'KTH\\walking\\a.AVI'}),
        (['x/a', 'y/a'], ['a.mp4'], {}),  # either might be meant
        (['a'], ['x/a.mp4', 'y/a.mp4'], {}),
        (['x/a', 'y/a'], ['x/a.avi', 'y/a.avi'], {'x/a': 'x/a.avi', 'y/a': 'y/a.avi'}),
        (['a.b'], ['a.b'], {'a.b': 'a.b'}),  # no suffix of a video
        (['a'], ['a.avi', 'a.mp4'], {}),
        (['1'], [1], {'1': '1'}),
        # Folders that contradict: another video, even if it is the only one so called.
        (['running/02'], ['walking/02.avi'], {}),
        (['walking/a'], ['running/a'], {}),
        (['x/walking/a'], ['y/walking/a.avi'], {}),
        (['walking/a'], ['KTH/walking/a.avi'], {'walking/a': 'KTH/walking/a.avi'}),
        (['king/a'], ['walking/a.avi'], {}),  # part by part, not letter by letter
        (['walking/02', 'running/02'], ['walking/02.avi'], {'walking/02': 'walking/02.avi'}),
        (['a', 'y/a'], ['y/a.avi', 'z/a.avi'], {'y/a': 'y/a.avi'}),
        (['a', 'y/a'], ['a.avi'], {'a': 'a.avi'}),
        (['/data/./walking//a'], ['walking/a'], {'/data/./walking//a': 'walking/a'}),
        # Stems that still have the suffix of the video.
        (['clip1.mp4'], ['clip1.mp4'], {'clip1.mp4': 'clip1.mp4'}),
        (['clip1.mp4'], ['clip1'], {'clip1.mp4': 'clip1'}),
        (['x/clip1.MP4'], ['clip1.mp4'], {'x/clip1.MP4': 'clip1.mp4'}),
        (['clip1.mp4'], ['clip1.avi'], {}),
        (['c.mp4', 'c.avi'], ['c.avi', 'c.mp4'], {'c.mp4': 'c.mp4', 'c.avi': 'c.avi'}),
        (['c.mp4', 'c'], ['c.mp4'], {}),  # either might be meant
        # The same letter, composed and decomposed.
        (['caf\u00e9'], ['cafe\u0301.avi'], {'caf\u00e9': 'cafe\u0301.avi'}),
        (['cafe\u0301/a'], ['caf\u00e9/a'], {'cafe\u0301/a': 'caf\u00e9/a'}),
    ],
)
def test_names_are_paired_where_there_is_no_doubt(stems, names, pairs):
    assert pair_names(stems, names) == pairs


folders = st.lists(st.sampled_from(['a', 'b', 'c']), min_size=1, max_size=3).map('/'.join)


@given(st.sets(folders, max_size=5), st.sets(folders, max_size=5))
def test_pairs_are_those_of_the_definition(stems, names):
    def belong(one, other):
        return f'/{one}'.endswith(f'/{other}') or f'/{other}'.endswith(f'/{one}')

    expected = {}
    for stem in stems:
        if stem in names:
            expected[stem] = stem
            continue
        found = [name for name in names if belong(stem, name)]
        if len(found) == 1 and sum(belong(other, found[0]) for other in stems) == 1:
            expected[stem] = found[0]
    assert pair_names(stems, names) == expected


@given(st.sets(folders, max_size=5), st.sets(folders, max_size=5))
def test_paths_are_in_doubt_if_a_name_is_left_that_they_could_mean(paths, names):
    asked = VideoNames(names)
    pairs, doubts = asked.pair(paths), asked.doubtful(paths)
    assert not pairs.keys() & doubts.keys()
    for path in paths - pairs.keys():
        left = {
            name
            for name in names - set(pairs.values())
            if f'/{path}'.endswith(f'/{name}') or f'/{name}'.endswith(f'/{path}')
        }
        assert set(doubts.get(path, [])) == left


@pytest.mark.parametrize(
    ('paths', 'names', 'doubts'),
    [
        (['x/a', 'y/a'], ['a.mp4'], {'x/a': ['a.mp4'], 'y/a': ['a.mp4']}),
        (['a'], ['x/a.mp4', 'y/a.mp4'], {'a': ['x/a.mp4', 'y/a.mp4']}),
        (['a', 'y/a'], ['a.avi'], {}),  # the name is the first one's own
        (['running/a'], ['walking/a.avi'], {}),
        (['c.mp4', 'c'], ['c.mp4'], {'c.mp4': ['c.mp4'], 'c': ['c.mp4']}),
    ],
)
def test_doubts_name_what_could_be_meant(paths, names, doubts):
    assert VideoNames(names).doubtful(paths) == doubts


def test_names_go_to_other_processes():
    names = pickle.loads(pickle.dumps(VideoNames(['x/a.avi', 'b'])))
    assert names.pair(['/d/x/a', 'b.mp4']) == {'/d/x/a': 'x/a.avi', 'b.mp4': 'b'}
