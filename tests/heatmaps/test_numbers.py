"""Numbers of any width: what the fast reader reads equals `float`, and it refuses all the rest."""

import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import mmsal.heatmaps.numbers as numbers
from mmsal.heatmaps.numbers import parse_numbers

digits = st.text('0123456789', max_size=30)
signs = st.sampled_from(['', '', '+', '-'])


@st.composite
def odd_numbers(draw):
    """Anything in the syntax, as nobody writes it."""
    whole, fraction = draw(st.tuples(digits, digits).filter(any))
    point = '.' if fraction else draw(st.sampled_from(['', '.']))
    power = draw(st.sampled_from(['', '', 'e', 'E']))
    if power:
        power += draw(signs) + f'{draw(st.integers(0, 400)):0{draw(st.integers(1, 5))}d}'
    return draw(signs) + whole + point + fraction + power


finite = st.floats(allow_nan=False, allow_infinity=False, width=32)
styles = st.sampled_from(['%r', '%.0f', '%.1f', '%.6f', '%.9f', '%g', '%.9g', '%.18e', '%+.3e'])
spaces = st.sampled_from([' ', '  ', '\t', ',', ', ', ' \t '])


def as_float32(tokens):
    with np.errstate(over='ignore'):
        return np.array([float(token) for token in tokens]).astype(np.float32)


def check(tokens, separator=' ', must_read=True):
    """Hold the fast reader against `float`, bit for bit."""
    expected = as_float32(tokens)
    parsed = parse_numbers((separator.join(tokens) + '\n').encode())
    if not np.isfinite(expected).all():
        assert parsed is None
        return
    if parsed is None:
        assert not must_read
        return
    values, counts = parsed
    assert counts.tolist() == [len(tokens)]
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values.view(np.uint32), expected.view(np.uint32))


@given(st.lists(odd_numbers(), min_size=1, max_size=40), spaces)
@example(
    ['1.00000005960464477539062500001', '1.000000059604644775390625', '1.0000000596046447753'], ' '
)
@example(['5', '5.', '.5', '+.5', '-5.e1', '0005', '-0', '1e-50', '9' * 39, '1e0000000001'], ' ')
def test_reads_odd_numbers_as_float_does(tokens, separator):
    check(tokens, separator, must_read=False)


@given(st.lists(finite, min_size=1, max_size=40), styles, spaces)
def test_reads_what_others_print_as_float_does(values, style, separator):
    tokens = [style % value for value in values]
    # Five digits before a point are more than the fast reader takes in bulk.
    check(tokens, separator, must_read=style in ('%.18e', '%+.3e'))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=15), styles, spaces)
def test_a_few_odd_numbers_do_not_stop_it(values, style, separator):
    common = [style % value for value in np.linspace(0.1, 0.9, 200).tolist()]
    check(common + [style % value for value in values], separator)


@pytest.mark.parametrize('style', ['%r', '%.4g', '%.17g', '%.40f', '%.18e', '%d', '%.2f'])
@pytest.mark.parametrize('scale', [1, -1, 255, 1e-3, 1e-20, 1e-44])
def test_many_numbers(style, scale):
    values = np.random.default_rng(0).random(3000) * scale
    values[::7] = 0
    check([style % value for value in values.tolist()])


def test_ties_of_float32_are_rounded_as_float64_first():
    # Decimals on, just below and just above the middle between two neighbours, 10 to 24 digits.
    singles = np.random.default_rng(1).random(500).astype(np.float32)
    middles = (singles.astype(np.float64) + np.nextafter(singles, np.float32(2))) / 2
    tokens = []
    for middle in middles.tolist():
        exact = f'{middle:.40f}'
        tokens += [exact[:size] for size in (12, 18, 19, 24, 26, 30)]
        tokens += [exact[:size] + '1' for size in (19, 24)]
    check(tokens, must_read=False)
    for start in range(0, len(tokens), 7):  # each with others around it, so that none is left out
        check(tokens[start : start + 4] + ['0.123456789'] * 80)


@pytest.mark.parametrize('place', [0, 500, -1])
def test_one_of_many_is_too_large(place):
    values = np.random.default_rng(0).random(1000) * 3e38
    check([f'{value:.18e}' for value in values])
    values[place] = 3.5e38
    check([f'{value:.18e}' for value in values])


REFUSED = [
    '', ' ', '\n', '\n\n', '.', '+', '-', '+.', 'e', 'e5', '.e5', '1e', '1e+', '1.5e-', '1e5.0',
    '1e5e5', '1e+-5', '+-1', '--1', '1-', '1-2', '1+2', '0.5-0.5', '1..2', '1.2.3', '..5', '5..',
    '1_000', '0x10', '1d5', '1j', 'nan', 'NaN', '-nan', 'inf', '-Infinity', 'True', 'abc', '...',
    '1;2', '1:2', '(1)', '[1]', '1#2', '"1"', '1\v2', '1\f2', '1\r', '1\r2', '1\0', '\x7f1',
    '1 2\x1f', '\u0663', '1\u00a02', '\u22121', ',', ',1', '1,,2', '1, ,2', '1 ,2', '\n,1',
    '1e400', '-1e39', '3.5e38', '9' * 50, '-e-05', '+e+05', '.e-05', '-.e-05', '1e-0_5', '5e- 5',
]  # fmt: skip


@pytest.mark.parametrize('crowd', [0, 1, 100], ids=['alone', 'one other', 'in a crowd'])
@pytest.mark.parametrize('text', REFUSED)
def test_refuses_all_the_rest(text, crowd):
    if crowd and not text.strip(' \n'):
        return  # blank lines are no fault
    lines = [b'0.25'] * crowd
    for place in {0, crowd // 2, crowd}:
        content = b'\n'.join([*lines[:place], text.encode(), *lines[place:]])
        assert parse_numbers(content) is None
        assert parse_numbers(content + b'\n') is None


@pytest.mark.parametrize('size', [1, 2, 7, 16, 40, 1 << 17])
def test_lines_are_counted_however_the_text_is_cut(monkeypatch, size):
    monkeypatch.setattr(numbers, '_CHUNK_SIZE', size)
    rows = ['0.25 0.25 0.25', '1 -2.5 .125 4e-1', '0.5', '7. 7.']
    text = '\n'.join(rows)
    for end in ('', '\n', ' \n', ',\n'):
        values, counts = parse_numbers((text + end).encode())
        assert counts.tolist() == [3, 4, 1, 2]
        np.testing.assert_array_equal(values, as_float32(text.split()))


def test_blank_lines_hold_nothing():
    values, counts = parse_numbers(b'\n 0.5\t0.25 \n\n \t\n1\n')
    assert counts.tolist() == [0, 2, 0, 0, 1]
    assert values.tolist() == [0.5, 0.25, 1]


@given(st.text('01.e-+, \n\t', max_size=40))
def test_reads_only_what_the_syntax_allows(text):
    parsed = parse_numbers(text.encode())
    number = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?')
    tokens = text.replace(',', ' ').split()
    if parsed is None:
        return
    assert all(map(number.fullmatch, tokens))
    np.testing.assert_array_equal(parsed[0].view(np.uint32), as_float32(tokens).view(np.uint32))
    lines = (text if text.endswith('\n') else text + '\n').split('\n')[:-1]
    assert parsed[1].tolist() == [len(line.replace(',', ' ').split()) for line in lines]
    assert not re.search(r'(^|,)[ \t]*,', text, re.MULTILINE)
