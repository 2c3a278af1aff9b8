"""Many files: a fault in one spares the others, counts are summed, names come from paths."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsal.gaze import GazeFormatError
from mmsal.gaze.readers.batch import doubled, in_words, join_tables, many, read_files, record

from .test_pupil_neon import write_neon

SIZE = {'video_size': (1600, 1200)}
NAMES = r'(?P<observer>\w+)/(?P<video>\w+)/fixations'


@pytest.fixture
def paths(tmp_path):
    found = []
    for place in ('p1/park', 'p2/park', 'p1/beach'):
        (tmp_path / place).mkdir(parents=True)
        found.append(write_neon(tmp_path / place))
    return found


def test_names_come_from_paths_and_counts_are_summed(paths):
    reads = list(read_files(paths, names=NAMES, **SIZE))
    table = join_tables(reads)
    assert table[['video', 'observer']].to_numpy().tolist() == [
        ['park', 'p1'],
        ['park', 'p2'],
        ['beach', 'p1'],
    ]
    assert table.attrs['counts'] == {
        'rows': 9, 'missing': 0, 'before_video': 3, 'outside': 3, 'fixations': 3
    }  # fmt: skip
    assert doubled(reads) == []
    # Joining leaves what each file says about itself alone.
    assert [one['counts']['rows'] for one in record(reads)['files']] == [3, 3, 3]


def test_a_fault_spares_the_others(paths):
    paths[1].write_text('broken')
    reads = list(read_files([*paths, Path('gone')], 'pupil_neon', names=NAMES, **SIZE))
    assert [one.table is None for one in reads] == [False, True, False, True]
    assert str(paths[1]) in reads[1].error and 'absent' in reads[1].error
    assert reads[3].error.startswith('gone: ')
    assert [one['file'] for one in record(reads)['failed']] == [str(paths[1]), 'gone']
    assert len(join_tables(reads)) == 2


def test_nothing_read_is_an_empty_table():
    table = join_tables(read_files([Path('gone')]))
    assert len(table) == 0 and table.attrs['counts'] == {}


def test_the_same_observer_in_two_files_is_told(paths):
    reads = list(read_files(paths[:2], observer='o', video='v', **SIZE))
    assert doubled(reads) == [f'observer o on v is in several files: {paths[0]}, {paths[1]}']


@pytest.mark.parametrize('names', ['(', 'P1', '(?P<who>P1)', '(?P<video>a)(?P<who>b)'])
def test_names_that_cannot_be_used_stop_at_once(paths, names):
    with pytest.raises(GazeFormatError, match='expected names'):
        next(read_files(paths, names=names))


@given(
    st.dictionaries(st.sampled_from(['missing', 'outside', 'some_reason']), st.integers(0, 9)),
    st.integers(0, 9),
)
def test_all_that_was_left_out_is_in_the_words(left, kept):
    words = in_words({'rows': 30, 'fixations': kept, **left})
    assert words.startswith(f'{many(kept, "fixation")} from 30 rows')
    told = words.partition('; left out: ')[2].split(', ') if '; left' in words else []
    assert [int(one.split()[0]) for one in told] == [count for count in left.values() if count]
    assert not left.get('some_reason') or 'some reason' in words


def test_the_same_video_twice_in_one_file_is_told(paths):
    reads = list(read_files(paths[:1], observer='o', video='v', **SIZE))
    reads[0].table.attrs['showings'] = [{'video': 'v', 'observer': 'o', 'showings': 3}]
    assert doubled(iter(reads)) == [f'observer o saw v 3 times in {paths[0]}']
