import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from mmsal.heatmaps.grid import format_grid, parse_grid

unit = st.floats(0, 1, width=32).map(abs)  # abs: -0.0 is printed as 0
maps = arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=unit)
decimals = st.integers(1, 9)


def python_format(values, decimals):
    lines = [' '.join(f'%.{decimals}f' % v for v in row.tolist()) for row in values]
    return ''.join(line + '\n' for line in lines).encode()


@given(maps, decimals)
def test_prints_as_python_does(values, decimals):
    assert format_grid(values, decimals) == python_format(values, decimals)


@pytest.mark.parametrize('decimals', range(1, 10))
def test_prints_ties_and_extremes_as_python_does(decimals):
    # k / 2**n has n decimals, the last one a 5: a tie wherever it is cut by one digit.
    values = [k / 2**n for n in range(1, 12) for k in range(2**n + 1)]
    limits = np.finfo(np.float32)
    values += [limits.smallest_subnormal, limits.tiny, 1 - limits.epsneg, 5e-10, 0.95, 0.05]
    values = np.array([values], np.float32)
    assert format_grid(values, decimals) == python_format(values, decimals)


def test_negative_zero_is_zero():
    assert format_grid(np.array([[-0.0]], np.float32), 3) == b'0.000\n'


@given(maps, decimals)
@example(np.ones((1, 1), np.float32), 9)
def test_reads_what_it_prints_as_numpy_does(values, decimals):
    text = format_grid(values, decimals)
    parsed = parse_grid(text)
    assert parsed.dtype == np.float32
    np.testing.assert_array_equal(parsed, np.loadtxt(text.splitlines(), np.float32, ndmin=2))


@given(st.lists(st.integers(0, 2 * 10**9 - 1), min_size=1, max_size=4), decimals)
def test_reads_every_number_as_python_does(numbers, decimals):
    tokens = [f'{n // 10**9}.{n % 10**9:09d}'[: decimals + 2] for n in numbers]
    parsed = parse_grid((' '.join(tokens) + '\n').encode())
    assert parsed.tolist() == [[np.float32(float(token)) for token in tokens]]


@pytest.mark.parametrize(
    'rows',
    [
        [],
        [b''],
        [b'1'],
        [b'0.'],
        [b'2.5'],
        [b'0.0000000001'],
        [b'0.5 0.55'],
        [b'0.55 0.5'],
        [b'0.5 '],
        [b' 0.5'],
        [b'0.5  0.5'],
        [b'0.5,0.5'],
        [b'0.5\t0.5'],
        [b'-.5'],
        [b'0.a'],
        [b'0./'],
        [b'0.:'],
        [b'0,5'],
        [b'a.5'],
        [b'0.5 0.5', b'0.5'],
        [b'0.5', b'0.5 0.5'],
        [b'0.5 0.5', b'0.5', b'0.5 0.5 0.5'],
        [b'0.5 0.5', b'0.5 0.5 0.5', b'0.5'],
    ],
)
def test_leaves_every_other_layout_alone(rows):
    assert parse_grid(b''.join(row + b'\n' for row in rows)) is None


def test_leaves_a_missing_newline_alone():
    assert parse_grid(b'0.5') is None
    assert parse_grid(b'0.5\n0.5') is None


@given(maps, decimals, st.data())
def test_one_changed_byte_is_read_rightly_or_not_at_all(values, decimals, data):
    text = bytearray(format_grid(values, decimals))
    position = data.draw(st.integers(0, len(text) - 1))
    text[position] = data.draw(st.integers(0, 255))
    parsed = parse_grid(bytes(text))
    if parsed is not None:
        rows = text.decode().splitlines()
        expected = [[np.float32(float(token)) for token in row.split(' ')] for row in rows]
        assert parsed.tolist() == expected
