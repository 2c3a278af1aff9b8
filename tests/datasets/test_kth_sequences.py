import re
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmsal.datasets.kth_sequences import (
    ACTIONS,
    OFFICIAL_SPLIT,
    SUBSETS,
    KTHName,
    clip_id,
    parse_name,
    read_activitynet,
    read_sequences,
    split_groups,
    write_sequences,
)

names = st.builds(KTHName, st.integers(0, 99), st.sampled_from(ACTIONS), st.integers(1, 4)).map(
    lambda name: name.stem
)
ranges = st.tuples(st.integers(0, 5000), st.integers(1, 500)).map(lambda t: (t[0], t[0] + t[1]))
lists = st.dictionaries(names, st.lists(ranges, min_size=1, max_size=6), min_size=1, max_size=20)


def test_names():
    assert parse_name('person07_handwaving_d3_uncomp') == KTHName(7, 'handwaving', 3)
    assert parse_name('person07_handwaving_d3').stem == 'person07_handwaving_d3'
    assert clip_id('person01_walking_d1_uncomp') == 'person01_walking_d1'
    assert clip_id('person01_walking_d1_seq3') == 'person01_walking_d1#3'


@pytest.mark.parametrize(
    'stem',
    [
        '',
        'person1_walking_d1',
        'person01_swimming_d1',
        'person01_walking_d5',
        'person01_walking_d1.avi',
        'person01_walking_d1_uncomp_uncomp',
        ' person01_walking_d1',
        'person\u0660\u0661_walking_d1',
    ],
)
def test_other_names_are_refused(stem):
    with pytest.raises(ValueError, match='not a KTH name'):
        parse_name(stem)


def test_lines_of_every_kind(tmp_path):
    path = tmp_path / '00sequences.txt'
    path.write_bytes(
        b'\xef\xbb\xbf\r\nTraining:   person11, 12\r\nperson11 is one of them, caf\xe9\r\n\r\n'
        b'person01_boxing_d1\t\tframes\t1-95, 96-185\r\n'
        b'  person07_handclapping_d2    \tframes 1-102,103-248 \r\n'
        b'person13_handclapping_d3\t*missing*\r\n'
        b'person01_walking_d1_uncomp frames 5-5\n'
    )
    assert read_sequences(path) == {
        'person01_boxing_d1': [(0, 95), (95, 185)],
        'person07_handclapping_d2': [(0, 102), (102, 248)],
        'person01_walking_d1': [(4, 5)],
    }


@pytest.mark.parametrize(
    ('line', 'fault'),
    [
        ('person01_walking_d1 frames 75-1', '75-1 is empty'),
        ('person01_walking_d1 frames 0-10', '0-10 is empty or begins before 1'),
        ('person01_walking_d1 frames a-b', "got 'a-b'"),
        ('person01_walking_d1 frames 1-75, ', "got ''"),
        ('person01_walking_d1 frames 1-75 76-80', "got '1-75 76-80'"),
        ('person01_walking_d1 frames', "got 'frames'"),
        ('person01_walking_d1', "got ''"),
        ('person01_walking_d1 1-75', "got '1-75'"),
        ('person01_walking_d9 frames 1-75', 'not a KTH name'),
        ('person01_swimming_d1 frames 1-75', 'not a KTH name'),
        ('person02_walking_d1 frames 1-75', 'a second time'),
    ],
)
def test_malformed_lines_are_named(tmp_path, line, fault):
    path = tmp_path / '00sequences.txt'
    path.write_text(f'prose\nperson02_walking_d1 frames 1-9\n{line}\n')
    with pytest.raises(ValueError, match=re.escape(fault)) as caught:
        read_sequences(path)
    assert f'{path}, line 3: ' in str(caught.value)


@pytest.mark.parametrize('text', ['', 'nothing but prose\n', '\x00\x01'])
def test_a_file_without_sequences_is_refused(tmp_path, text):
    path = tmp_path / 'x.txt'
    path.write_text(text)
    with pytest.raises(ValueError, match='no line like'):
        read_sequences(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(sequences=lists, header=st.sampled_from(['', 'Made by a program.\nTraining: person11, 12']))
def test_round_trip(tmp_path, sequences, header):
    path = tmp_path / '00sequences.txt'
    write_sequences(path, sequences, header)
    assert read_sequences(path) == sequences
    assert [p.name for p in tmp_path.iterdir()] == ['00sequences.txt']


def test_written_as_published(tmp_path):
    path = tmp_path / 'list.txt'
    write_sequences(path, {'person01_walking_d1': [(0, 75), (151, 225)]}, header='Hello.')
    assert path.read_text() == 'Hello.\n\nperson01_walking_d1\tframes\t1-75, 152-225\n'


@pytest.mark.parametrize(
    ('sequences', 'header', 'fault'),
    [
        ({'person01_walking_d1': []}, '', 'no frame range'),
        ({'person01_walking_d1': [(5, 5)]}, '', 'empty or negative'),
        ({'person01_walking_d1': [(-1, 5)]}, '', 'empty or negative'),
        ({'clip1': [(0, 5)]}, '', 'not a KTH name'),
        ({}, 'person01_walking_d1 is the first', 'would be read as a sequence'),
    ],
)
def test_bad_lists_are_not_written(tmp_path, sequences, header, fault):
    with pytest.raises(ValueError, match=fault):
        write_sequences(tmp_path / 'list.txt', sequences, header)
    assert not list(tmp_path.iterdir())


def test_published_list(kth_data):
    sequences = read_sequences(kth_data / '00sequences.txt')
    assert len(sequences) == 599
    assert sum(len(found) for found in sequences.values()) == 2391
    assert sequences['person01_walking_d1'] == [(0, 75), (151, 225), (324, 400), (479, 555)]
    assert 'person13_handclapping_d3' not in sequences
    assert {parse_name(stem).person for stem in sequences} == set(range(1, 26))


def test_official_split_has_every_person_once():
    persons = [person for subset in SUBSETS for person in OFFICIAL_SPLIT[subset]]
    assert sorted(persons) == list(range(1, 26))
    assert [len(OFFICIAL_SPLIT[subset]) for subset in SUBSETS] == [8, 8, 9]


samples = st.lists(st.tuples(st.integers(1, 12), st.sampled_from(ACTIONS)), max_size=60)


@given(samples=samples, seed=st.integers(0, 1000))
def test_random_split_is_complete_and_repeatable(samples, seed):
    assigned = split_groups(samples, seed=seed)
    assert set(assigned) == {group for group, _ in samples}
    assert set(assigned.values()) <= set(SUBSETS)
    assert assigned == split_groups(list(reversed(samples)), seed=seed)


def test_random_split_is_the_same_on_every_machine():
    assigned = split_groups([(person, 'walking') for person in range(1, 26)], seed=0)
    assert [p for p in sorted(assigned) if assigned[p] == 'val'] == [2, 5, 9, 14, 20]
    assert Counter(assigned.values()) == {'train': 15, 'val': 5, 'test': 5}
    assert assigned != split_groups([(person, 'walking') for person in range(1, 26)], seed=1)


def test_random_split_keeps_the_shares_of_the_classes():
    # Twice as many runners as walkers, each sample a group of its own.
    samples = [(f'w{n}', 'walking') for n in range(20)] + [(f'r{n}', 'running') for n in range(40)]
    assigned = split_groups(samples)
    counts = Counter((assigned[group], label) for group, label in samples)
    assert [counts[subset, 'walking'] for subset in SUBSETS] == [12, 4, 4]
    assert [counts[subset, 'running'] for subset in SUBSETS] == [24, 8, 8]


def test_classes_with_few_groups_are_spread():
    assigned = split_groups([('a', 'walking'), ('b', 'running'), ('c', 'boxing')])
    assert set(assigned.values()) == set(SUBSETS)


def test_a_share_of_zero_stays_empty():
    samples = [(n, 'walking') for n in range(10)]
    assert Counter(split_groups(samples, (0.5, 0, 0.5)).values()) == {'train': 5, 'test': 5}


@pytest.mark.parametrize('ratios', [(0.5, 0.5), (0.6, 0.6, -0.2), (6, 2, 2)])
def test_bad_ratios(ratios):
    with pytest.raises(ValueError, match='three ratios'):
        split_groups([(1, 'walking')], ratios)


@pytest.mark.parametrize(
    ('entry', 'expected'),
    [
        ({'label': 'walking'}, None),
        ({'label': 'walking', 'frames': [0, 30]}, (0, 30)),
        ({'label': 'walking', 'segment': [1, 31]}, (0, 30)),
    ],
)
@pytest.mark.parametrize('key', ['person01_walking_d1', 'walking/person01_walking_d1_uncomp.avi'])
def test_activitynet(tmp_path, write_json, key, entry, expected):
    path = write_json({key: {'subset': 'training', 'annotations': entry}})
    assert read_activitynet(path) == {'person01_walking_d1': ('train', expected)}


@pytest.fixture
def write_json(tmp_path):
    import json

    def write(database):
        path = tmp_path / 'kth.json'
        path.write_text(json.dumps({'labels': ['walking'], 'database': database}))
        return path

    return write


GOOD = {'subset': 'training', 'annotations': {'label': 'walking'}}


@pytest.mark.parametrize(
    ('database', 'fault'),
    [
        ([], 'expected'),
        ({'person01_walking_d1': None}, 'expected'),
        ({'person01_walking_d1': {'subset': 'training'}}, "KeyError: 'annotations'"),
        ({'person01_walking_d1': GOOD | {'subset': 'train'}}, "the subset 'train'"),
        ({'person01_running_d1': GOOD}, "the label 'walking'"),
        ({'clip1': GOOD}, 'not a KTH name'),
        ({'person01_walking_d1': GOOD, 'person01_walking_d1.avi': GOOD}, 'a second time'),
        (
            {'person01_walking_d1': GOOD | {'annotations': {'label': 'walking', 'frames': [5, 5]}}},
            'frame range',
        ),
        (
            {
                'person01_walking_d1': GOOD
                | {'annotations': {'label': 'walking', 'segment': [0, 5]}}
            },
            'frame range',
        ),
    ],
)
def test_bad_activitynet(write_json, database, fault):
    path = write_json(database)
    with pytest.raises(ValueError, match=re.escape(fault)) as caught:
        read_activitynet(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize('content', [b'', b'{"labels": [', b'\xff\xfe', b'{}', b'[]', b'3'])
def test_not_activitynet_at_all(tmp_path, content):
    path = tmp_path / 'x.json'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(str(path))) as caught:
        read_activitynet(path)
    assert type(caught.value) is ValueError and len(caught.value.args) == 1
