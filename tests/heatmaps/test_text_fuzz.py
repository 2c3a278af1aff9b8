"""The fast and the slow way to read a text have one outcome, whatever happened to the file."""

import gzip
from unittest import mock

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mmsal.heatmaps.numbers as numbers
import mmsal.heatmaps.text as text
from mmsal.heatmaps import HeatmapFormatError, read_heatmaps

HEADER = 'Frame {} - Heatmap values:\n'
STYLES = {
    'fixed': ('{:.3f}'.format, ' ', '', ''),
    'repr': (repr, ' ', '', ''),
    '%.4g': ('{:.4g}'.format, ' ', '', ''),
    'savetxt': ('{:.18e}'.format, ' ', '', ''),
    'signs': (lambda value: f'{value - 0.5:+.2f}', '\t', '', ''),
    'gray levels': (lambda value: f'{255 * value:.1f}', ', ', '', ''),
    'whole numbers': (lambda value: f'{255 * value:.0f}', ',', '', ' '),
    'NumPy': ('{:.4f}'.format, ' ', ' [', ']'),
    'lists': (repr, ', ', '[', '],'),
}
WHOLE = [
    b'Frame 1 - Heatmap values:\n', b'\n', b'\r\n', b' ', b'  ', b'\t', b',', b', ', b',,', b'#',
    b'[', b']', b'0', b'1', b'.', b'-', b'+', b'e', b'E', b'e-05', b'0.5', b' 0.5', b'0.5 ', b'.5',
    b'5.', b'1e39', b'nan', b'inf', b'_', b'x', b'\0', b'\v', b'\xff', b'\xef\xbb\xbf', b'0' * 30,
    b'0.50000001490116119384765625',
]  # fmt: skip


def content_of(style, shape, end):
    number, separator, first, last = STYLES[style]
    values = np.random.default_rng(shape[1]).random(shape)
    values[values < 0.05] *= 1e-4  # some have an exponent
    values[values > 0.9] = 0
    pieces = []
    for index, frame in enumerate(values.tolist()):
        rows = [first + separator.join(map(number, row)) + last for row in frame]
        pieces.append(HEADER.format(index) + end.join(rows) + end)
    return ''.join(pieces).encode()


def outcome(path):
    try:
        sequence = read_heatmaps(path)
    except HeatmapFormatError as error:
        return str(error)
    assert np.isfinite(sequence.values).all()
    assert sequence.values.dtype == np.float32
    # Bits, so that 0 and -0 are not the same.
    return sequence.values.view(np.uint32).tolist(), sequence.frame_indices.tolist()


def slow_outcome(path):
    """Read each row by itself, as a file in which nothing can be read in bulk."""
    with mock.patch.multiple(text, parse_grid=lambda _: None, parse_numbers=lambda _: None):
        return outcome(path)


@st.composite
def mutated(draw):
    shape = draw(st.sampled_from([(3, 3, 4), (2, 12, 17), (1, 2, 2)]))
    end = draw(st.sampled_from(['\n', '\n', '\r\n', ' \n', '\n\n']))
    content = content_of(draw(st.sampled_from(sorted(STYLES))), shape, end)
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(content)))
        stop = start + draw(st.sampled_from([0, 0, 1, 1, 2, 3, 9, 40]))
        new = draw(
            st.sampled_from(WHOLE) | st.binary(max_size=3) | st.just(content[start:stop] * 2)
        )
        content = content[:start] + new + content[stop:]
    return content


fuzzing = settings(
    max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@fuzzing
@given(content=mutated(), chunk=st.sampled_from([1, 60, 1 << 17]))
def test_fast_and_slow_agree_on_mutated_files(tmp_path, content, chunk):
    path = tmp_path / 'x.txt'
    path.write_bytes(content)
    with mock.patch.object(numbers, '_CHUNK_SIZE', chunk):
        assert outcome(path) == slow_outcome(path)


@fuzzing
@given(
    rows=st.text('0123456789.eE+-,[]() \t\r\n#', max_size=60),
    crowd=st.sampled_from(['', '0.25 0.5\n', '0.25 0.5\n' * 40]),
)
def test_fast_and_slow_agree_on_made_up_rows(tmp_path, rows, crowd):
    path = tmp_path / 'x.txt'
    path.write_bytes((HEADER.format(0) + crowd + rows).encode())
    assert outcome(path) == slow_outcome(path)


@fuzzing
@given(data=st.data())
def test_damaged_gzip_is_read_or_refused(tmp_path, data):
    content = bytearray(gzip.compress(content_of('repr', (2, 6, 5), '\n'), mtime=0))
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] = data.draw(st.integers(0, 255))
    path = tmp_path / 'x.txt.gz'
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    outcome(path)


def test_every_style_is_read_in_bulk(tmp_path, monkeypatch):
    """Without this the tests above could hold the slow way against itself."""

    def unexpected(*args):
        raise AssertionError('read row by row')

    monkeypatch.setattr(text, 'parse_row', unexpected)
    for style in STYLES:
        for end in ('\n', '\r\n', ' \n'):
            path = tmp_path / 'x.txt'
            path.write_bytes(content_of(style, (2, 30, 40), end))
            assert read_heatmaps(path).values.shape == (2, 30, 40)
