"""What the text reader refuses: each with the line and the words of the fault."""

import gzip
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmsal.heatmaps import HeatmapFormatError, HeatmapSequence, read_heatmaps, write_heatmaps

HEADER = 'Frame {} - Heatmap values:'
# lines: 1 header, 2-4 rows, 5 header, 6-8 rows, 9 header, 10-12 rows
VALID = ''.join(f'{HEADER.format(i)}\n' + '0.10 0.20 0.30\n' * 3 for i in (0, 1, 2))
LINES = VALID.splitlines(keepends=True)


def with_line(number, text):
    """Return the valid file with one line replaced."""
    return ''.join([*LINES[: number - 1], text, *LINES[number:]])


def with_row(text):
    return with_line(7, text + '\n')


BROKEN = {
    'empty file': ('', None, 'no frame'),
    'only comments': ('# nothing\n\n', None, 'no frame'),
    'numbers first': ('0.1 0.2\n' + VALID, 1, "expected a header .* before the first row, got '0"),
    'words first': ('\nheatmaps of a.avi\n' + VALID, 2, "before the first row, got 'heatmaps of"),
    'short row': (with_row('0.10 0.20'), 7, 'ragged row: 2 numbers, expected 3'),
    'long row': (with_row('0.10 0.20 0.30 0.40'), 7, 'ragged row: 4 numbers, expected 3'),
    'short first row': (with_line(2, '0.10 0.20\n'), 2, 'ragged row: 2 numbers, expected 3'),
    'short then long': (
        with_line(6, '0.10 0.20\n').replace('0.30\nFrame 2', '0.30 0.40\nFrame 2'),
        6,
        'ragged row: 2 numbers, expected 3',
    ),
    'long then short': (
        with_line(6, '0.10 0.20 0.30 0.40\n').replace('0.20 0.30\nFrame 2', '0.20\nFrame 2'),
        6,
        'ragged row: 4 numbers, expected 3',
    ),
    'ragged among exponents': (with_row('1e-1 2e-1'), 7, 'ragged row: 2 numbers, expected 3'),
    'joined rows': (with_line(6, LINES[5].strip() + ' '), 6, 'ragged row: 6 numbers, expected 3'),
    'ragged without a majority': (
        LINES[0] + '1 2\n1 2 3\n',
        3,
        'ragged row: 3 numbers, expected 2',
    ),
    'word': (with_row('0.10 abc 0.30'), 7, "not a number: 'abc'"),
    'ellipsis': (with_row('[0.10 ... 0.30]'), 7, r"not a number: '\.\.\.'"),
    'hexadecimal': (with_row('0.10 0x10 0.30'), 7, "not a number: '0x10'"),
    'underscore': (with_row('0.10 1_0 0.30'), 7, "not a number: '1_0'"),
    'half an exponent': (with_row('0.10 1e 0.30'), 7, "not a number: '1e'"),
    'Fortran exponent': (with_row('0.10 1d5 0.30'), 7, "not a number: '1d5'"),
    'glued by a sign': (with_row('0.10 0.2-0.3'), 7, "not a number: '0.2-0.3'"),
    'glued by a point': (with_row('0.10 0.20.30'), 7, "not a number: '0.20.30'"),
    'lone sign': (with_row('0.10 - 0.30'), 7, "not a number: '-'"),
    'lone point': (with_row('0.10 . 0.30'), 7, r"not a number: '\.'"),
    'semicolon': (with_row('0.10;0.20;0.30'), 7, "not a number: '0.10;0.20;0.30'"),
    'true': (with_row('0.10 True 0.30'), 7, "not a number: 'True'"),
    'other digits': (with_row('0.10 ٣ 0.30'), 7, "not a number: '٣'"),
    'typographic minus': (with_row('0.10 \u22121 0.30'), 7, "not a number: '\u22121'"),
    'hard space': (with_row('0.10\u00a00.20 0.30'), 7, 'not a number: '),
    'vertical tab': (with_row('0.10\v0.20 0.30'), 7, r"not a number: '0.10\\x0b0.20'"),
    'only CR': (VALID.replace('\n', '\r'), 1, 'expected .Frame N'),
    'empty field': (with_row('0.10,,0.30'), 7, 'not a number: nothing before a comma'),
    'empty first field': (with_row(',0.20,0.30'), 7, 'not a number: nothing before a comma'),
    'empty field in brackets': (with_row('[, 0.20, 0.30]'), 7, 'nothing before a comma'),
    'nan': (with_row('0.10 nan 0.30'), 7, "NaN or infinity: 'nan'"),
    'NaN': (with_row('[0.10, NaN, 0.30]'), 7, "NaN or infinity: 'NaN'"),
    'inf': (with_row('0.10 inf 0.30'), 7, "NaN or infinity: 'inf'"),
    '-Infinity': (with_row('0.10 -Infinity 0.30'), 7, "NaN or infinity: '-Infinity'"),
    'too large for float64': (with_row('0.10 1e400 0.30'), 7, "too large for float32: '1e400'"),
    'too large for float32': (with_row('0.10 -1e39 0.30'), 7, "too large for float32: '-1e39'"),
    'duplicate frame': (VALID.replace('Frame 2', 'Frame 0'), 9, 'duplicate frame 0'),
    'duplicate written otherwise': (VALID.replace('Frame 2', 'Frame 01'), 9, 'duplicate frame 1'),
    'fewer rows': (with_line(7, ''), 5, 'frame 1 has 2 rows of 3, expected 3 rows of 3'),
    'more rows': (with_line(7, LINES[6] * 2), 5, 'frame 1 has 4 rows of 3, expected 3 rows of 3'),
    'narrower frame': (
        ''.join(LINES[:5]) + '0.1 0.2\n' * 3 + ''.join(LINES[8:]),
        5,
        'frames of different size: frame 1 has 3 rows of 2, expected 3 rows of 3',
    ),
    'wider last frame': (
        ''.join(LINES[:9]) + '0.1 0.2 0.3 0.4\n' * 3,
        9,
        'frames of different size: frame 2 has 3 rows of 4, expected 3 rows of 3',
    ),
    'last frame cut by a row': (
        ''.join(LINES[:11]),
        11,
        'truncated last frame 2: 2 rows, expected 3',
    ),
    'last row cut': (''.join(LINES)[:-6], 12, r'ragged row: 2 .*truncated last frame 2'),
    'last frame cut in its first row': (
        ''.join(LINES[:9]) + '0.10 0.20',
        10,
        r'ragged row: 2 numbers, expected 3 \(truncated last frame 2',
    ),
    'last header cut': (''.join(LINES[:8]) + 'Frame 2 - Hea', 9, "expected 'Frame N.*'Frame 2 - H"),
    'no rows': (''.join(LINES[:5]) + ''.join(LINES[8:]), 5, 'frame 1 has no rows'),
    'no rows in the last frame': (''.join(LINES[:9]), 9, 'frame 2 has no rows'),
    'only a header': (LINES[0], 1, 'frame 0 has no rows'),
    'brackets for rows': (HEADER.format(3) + '\n[\n]\n', 1, 'frame 3 has no rows'),
    'negative frame': (VALID.replace('Frame 1', 'Frame -1'), 5, "expected 'Frame N"),
    'frame without number': (VALID.replace('Frame 1', 'Frame'), 5, "expected 'Frame N"),
    'fractional frame': (VALID.replace('Frame 1', 'Frame 1.5'), 5, "expected 'Frame N"),
    'values behind the header': (
        VALID.replace('1 - Heatmap values:', '1 - Heatmap values: 1'),
        5,
        'N',
    ),
    'huge frame': (VALID.replace('Frame 1', 'Frame 1' + '0' * 5000), 5, 'frame index too large'),
    'wrapped rows': (
        HEADER.format(0) + '\n[[0.1 0.2\n  0.3 0.4]\n [0.5 0.6\n  0.7 0.8]]\n',
        2,
        'a bracket without its partner: expected each row on one line',
    ),
    'list on one line': (
        HEADER.format(0) + '\n[[0.1, 0.2], [0.3, 0.4]]\n',
        2,
        'several bracketed rows',
    ),
    'NUL bytes': (with_row('0.10 0.20 0.3\0'), 7, 'NUL bytes'),
}


def read_broken(path):
    with pytest.raises(HeatmapFormatError) as caught:
        read_heatmaps(path)
    assert caught.value.path == str(path)
    assert str(caught.value).startswith(str(path))
    return caught


@pytest.mark.parametrize('compress', [False, True], ids=['text', 'gzip'])
@pytest.mark.parametrize('name', BROKEN)
def test_broken_file_is_refused_with_line_and_fault(tmp_path, name, compress):
    text, line, words = BROKEN[name]
    path = tmp_path / 'x.txt'
    path.write_bytes(gzip.compress(text.encode()) if compress else text.encode())
    caught = read_broken(path)
    caught.match(words)
    assert caught.value.line == line
    assert (f', line {line}: ' in str(caught.value)) == (line is not None)


def test_the_broken_files_are_broken_in_one_place_only(tmp_path):
    path = tmp_path / 'x.txt'
    path.write_text(VALID)
    assert read_heatmaps(path).values.shape == (3, 3, 3)


def test_cut_anywhere_is_noticed_unless_whole_frames_remain(tmp_path):
    sequence = HeatmapSequence(np.full((2, 3, 4), 1 / 3), [0, 1])
    path = tmp_path / 'x.txt'
    write_heatmaps(sequence, path)
    whole = path.read_bytes()
    (tmp_path / 'x.txt.json').unlink()
    second = whole.index(b'Frame 1')
    for size in range(second + 1, len(whole) - 1):
        path.write_bytes(whole[:size])
        read_broken(path)
    for size in (second, len(whole) - 1):  # one frame; all but the last newline
        path.write_bytes(whole[:size])
        np.testing.assert_array_equal(read_heatmaps(path).values, np.float32(0.333333))


def test_the_error_of_a_cut_number_quotes_it(tmp_path):
    path = tmp_path / 'x.txt'
    path.write_text(f'{HEADER.format(4)}\n0.123456 0.123456\n0.123456 0.12')
    caught = read_broken(path)
    caught.match("truncated last frame 4: the file ends inside a number, '0.12'")
    assert caught.value.line == 3


@pytest.mark.parametrize('end', ['0.1 0.2 1', '0.25 0.25 0.5', '0.123456 0.12345 0.1'])
def test_short_last_numbers_without_a_newline_are_accepted(tmp_path, end):
    path = tmp_path / 'x.txt'
    path.write_text(f'{HEADER.format(0)}\n{end}')
    assert read_heatmaps(path).values.tolist() == [[[np.float32(v) for v in end.split()]]]


@pytest.mark.parametrize(
    'content',
    [b'# caf\xe9\n' + VALID.encode(), VALID.encode('utf-16'), b'\x89PNG\r\n\x1a\n', b'\xff'],
)
def test_other_encodings_and_binary_files_are_refused(tmp_path, content):
    path = tmp_path / 'x.txt'
    path.write_bytes(content)
    caught = read_broken(path)
    caught.match('not a text file in UTF-8')
    assert caught.value.line == 1


@pytest.mark.parametrize('name', ['x.txt', 'x.txt.gz'])
def test_broken_gzip_is_refused(tmp_path, name):
    path = tmp_path / name
    whole = gzip.compress(VALID.encode())
    damaged = bytearray(whole)
    damaged[-8] ^= 1  # checksum
    for content in [whole[: len(whole) // 2], whole[:-3], whole[:12], whole[:3], bytes(damaged)]:
        path.write_bytes(content)
        read_broken(path).match('broken gzip')


@pytest.mark.parametrize('name', ['x.txt', 'x.txt.gz', 'x.npz'])
def test_missing_file_stays_file_not_found(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=f'no such heatmap file: .*{name}'):
        read_heatmaps(tmp_path / name)


@pytest.mark.parametrize('name', ['x.csv', 'x', 'x.gz', 'x.txt.bz2', 'txt', 'x.npy'])
def test_other_suffixes_are_refused(tmp_path, name):
    words = r'unknown suffix, expected one of \.txt, \.txt\.gz, \.npz'
    read_broken(tmp_path / name).match(words)
    with pytest.raises(HeatmapFormatError, match=words):
        write_heatmaps(HeatmapSequence(np.zeros((1, 1, 1)), [0]), tmp_path / name)


def test_the_error_survives_the_way_back_from_a_worker_process():
    error = HeatmapFormatError('a.txt', 'ragged row', 3)
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.path, copy.fault, copy.line) == ('a.txt', 'ragged row', 3)
    assert str(copy) == str(error) == 'a.txt, line 3: ragged row'


fuzzing = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
pieces = st.sampled_from(
    [b'Frame 1 - Heatmap values:', b'0.5', b' ', b'\n', b'#', b'[', b']', b',']
)


def check_parses_or_refuses(path, content):
    path.write_bytes(content)
    try:
        sequence = read_heatmaps(path)
    except HeatmapFormatError:
        return
    assert np.isfinite(sequence.values).all()
    assert len(sequence.values) == len(sequence.frame_indices) > 0


@fuzzing
@given(content=st.one_of(st.binary(), st.lists(pieces, max_size=30).map(b''.join)))
def test_random_content_parses_or_is_refused(tmp_path, content):
    check_parses_or_refuses(tmp_path / 'x.txt', content)


@fuzzing
@given(data=st.data())
def test_mutated_files_parse_or_are_refused(tmp_path, data):
    content = VALID.encode()
    if data.draw(st.booleans()):
        content = gzip.compress(content, mtime=0)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        stop = data.draw(st.integers(start, min(start + 8, len(content))))
        middle = data.draw(st.one_of(st.binary(max_size=8), pieces))
        content = content[:start] + middle + content[stop:]
    check_parses_or_refuses(tmp_path / 'x.txt', content)
