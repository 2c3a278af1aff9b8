"""Broken files as they come: foreign texts with one fault each, and files that are no text at all.

`test_text_faults` has the faults of a small text of one number width; here the text is large and
uneven, as other tools write it, so that it is read by the fast way until the fault is met.
"""

import gzip
import zlib

import numpy as np
import pytest

from mmsal.heatmaps import HeatmapFormatError, read_heatmaps

FRAMES, HEIGHT, WIDTH = 3, 20, 30
FAULTY_FRAME, FAULTY_ROW, FAULTY_COLUMN = 1, 12, 17
LINE = (HEIGHT + 1) * FAULTY_FRAME + 2 + FAULTY_ROW
VALUES = np.random.default_rng(0).random((FRAMES, HEIGHT, WIDTH)).tolist()
HEADER = 'Frame {} - Heatmap values:'
STYLES = {
    'repr': (repr, ' '),
    '%.4g': ('{:.4g}'.format, ' '),
    'savetxt': ('{:.18e}'.format, ' '),
    'commas': (repr, ','),
    'gray levels': (lambda value: f'{255 * value:.1f}', '\t'),
    'fixed': ('{:.6f}'.format, ' '),
}


def lines_of(style):
    """Return the lines of a good file; the row `LINE` is a list of numbers."""
    number, separator = STYLES[style]
    lines = []
    for index, frame in enumerate(VALUES):
        lines.append(HEADER.format(index))
        lines += [separator.join(map(number, row)) for row in frame]
    return lines


def refused(path, content):
    path.write_bytes(content)
    with pytest.raises(HeatmapFormatError) as caught:
        read_heatmaps(path)
    assert caught.value.path == str(path)
    return caught.value.line, caught.value.fault


@pytest.mark.parametrize('style', STYLES)
def test_the_good_files_are_good(tmp_path, style):
    path = tmp_path / 'x.txt'
    path.write_text('\n'.join(lines_of(style)))
    scale = 255 if style == 'gray levels' else 1
    np.testing.assert_allclose(read_heatmaps(path).values, np.array(VALUES) * scale, atol=0.06)


TOKENS = {
    'nan': 'NaN or infinity: ',
    'NAN': 'NaN or infinity: ',
    '+inf': 'NaN or infinity: ',
    'Infinity': 'NaN or infinity: ',
    '1e39': 'number too large for float32: ',
    '-1e999': 'number too large for float32: ',
    '9' * 40: 'number too large for float32: ',
    'x': 'not a number: ',
    '0.5x': 'not a number: ',
    '1_000': 'not a number: ',
    '0x1p-3': 'not a number: ',
    '0.5f': 'not a number: ',
    '1.5.5': 'not a number: ',
    '0.5e': 'not a number: ',
    '0.5e+': 'not a number: ',
    '0.5e--5': 'not a number: ',
    '0.5e5e5': 'not a number: ',
    '--0.5': 'not a number: ',
    '0.5-': 'not a number: ',
    '0.5+0.5': 'not a number: ',
    '..': 'not a number: ',
    '-.': 'not a number: ',
    'e-05': 'not a number: ',
    '.e-05': 'not a number: ',
    '"0.5"': 'not a number: ',
    '0.5;': 'not a number: ',
    '0\N{MIDDLE DOT}5': 'not a number: ',
    '\uff10.5': 'not a number: ',
    '[0.5': 'a bracket without its partner',
    '0.5)': 'a bracket without its partner',
    'Frame': 'not a number: ',
    '\x00': 'not a text file (it has NUL bytes)',
    '0.5\x00': 'not a text file (it has NUL bytes)',
    '\x1b[0m': 'a bracket without its partner',
}


@pytest.mark.parametrize('style', STYLES)
@pytest.mark.parametrize('token', TOKENS)
def test_one_faulty_number_is_named(tmp_path, style, token):
    lines = lines_of(style)
    separator = STYLES[style][1]
    row = lines[LINE - 1].split(separator)
    for column in (0, FAULTY_COLUMN, WIDTH - 1):
        if token == 'Frame' and column == 0:
            continue  # that would be a header
        changed = separator.join([*row[:column], token, *row[column + 1 :]])
        content = '\n'.join([*lines[: LINE - 1], changed, *lines[LINE:]]) + '\n'
        line, fault = refused(tmp_path / 'x.txt', content.encode())
        assert line == LINE
        assert fault.startswith(TOKENS[token])


def cut_row(lines, separator, count):
    lines[LINE - 1] = separator.join(lines[LINE - 1].split(separator)[:count])


LAYOUTS = {
    'short row': (lambda a, s: cut_row(a, s, 29), LINE, 'ragged row: 29 numbers, expected 30'),
    'long row': (
        lambda a, s: a.__setitem__(LINE - 1, a[LINE - 1] + s + '0.5'),
        LINE,
        'ragged row: 31 numbers, expected 30',
    ),
    'two rows on one line': (
        lambda a, s: a.__setitem__(slice(LINE - 1, LINE + 1), [s.join(a[LINE - 1 : LINE + 1])]),
        LINE,
        'ragged row: 60 numbers, expected 30',
    ),
    'a row is missing': (
        lambda a, s: a.pop(LINE - 1),
        22,
        'frames of different size: frame 1 has 19 rows of 30, expected 20 rows of 30 as before',
    ),
    'a row is there twice': (
        lambda a, s: a.insert(LINE - 1, a[LINE - 1]),
        22,
        'frames of different size: frame 1 has 21 rows of 30, expected 20 rows of 30 as before',
    ),
    'a header is missing': (
        lambda a, s: a.pop(21),
        62,
        'truncated last frame 2: 20 rows, expected 40',
    ),
    'a frame is there twice': (lambda a, s: a.extend(a[:21]), 64, 'duplicate frame 0'),
    'a frame is empty': (lambda a, s: a.insert(42, HEADER.format(7)), 43, 'frame 7 has no rows'),
    'the last frame is empty': (lambda a, s: a.append(HEADER.format(7)), 64, 'frame 7 has no rows'),
    'the last frame is cut': (
        lambda a, s: a.__delitem__(slice(-4, None)),
        59,
        'truncated last frame 2: 16 rows, expected 20',
    ),
    'the last row is cut': (
        lambda a, s: a.__setitem__(-1, s.join(a[-1].split(s)[:9])),
        63,
        'ragged row: 9 numbers, expected 30 (truncated last frame 2?)',
    ),
    'numbers before the first header': (
        lambda a, s: a.insert(0, a[1]),
        1,
        "expected a header 'Frame N - Heatmap values:' before the first row",
    ),
    'no header': (
        lambda a, s: a.pop(0),
        1,
        "expected a header 'Frame N - Heatmap values:' before the first row",
    ),
    'a title in between': (lambda a, s: a.insert(42, 'Second half'), 43, 'not a number: '),
    'a header with a word for a number': (
        lambda a, s: a.__setitem__(21, 'Frame one - Heatmap values:'),
        22,
        "expected 'Frame N - Heatmap values:', got 'Frame one",
    ),
    'a header with too large a number': (
        lambda a, s: a.__setitem__(21, f'Frame {10**18} - Heatmap values:'),
        22,
        'frame index too large',
    ),
    'a comma too many': (
        lambda a, s: a.__setitem__(LINE - 1, ',' + a[LINE - 1]),
        LINE,
        'not a number: nothing before a comma',
    ),
    'an open list': (
        lambda a, s: a.__setitem__(LINE - 1, '[' + a[LINE - 1]),
        LINE,
        'a bracket without its partner',
    ),
}


@pytest.mark.parametrize('style', [style for style in STYLES if style != 'fixed'])
@pytest.mark.parametrize('name', LAYOUTS)
def test_one_fault_of_the_layout_is_named(tmp_path, style, name):
    change, line, words = LAYOUTS[name]
    lines = lines_of(style)
    change(lines, STYLES[style][1])
    found, fault = refused(tmp_path / 'x.txt', ('\n'.join(lines) + '\n').encode())
    assert fault.startswith(words)
    assert found == line


GOOD = ('\n'.join(lines_of('repr')) + '\n').encode()
TEXT = 'not a text file in UTF-8'
NUL = 'not a text file (it has NUL bytes)'
TITLE = "expected a header 'Frame N - Heatmap values:' before the first row"
NO_FRAME = "no frame: expected a line 'Frame N - Heatmap values:'"


def with_bytes(row):
    """Put bytes into the middle of the row `LINE`."""
    lines = GOOD.split(b'\n')
    lines[LINE - 1] = lines[LINE - 1][:200] + row + lines[LINE - 1][200:]
    return b'\n'.join(lines)


CONTENTS = {
    'empty': (b'', None, NO_FRAME),
    'a newline': (b'\n', None, NO_FRAME),
    'a byte order mark': (b'\xef\xbb\xbf', None, NO_FRAME),
    'only comments': (b'# a\n#b\n\t# Frame 0 - Heatmap values:\n# 0.5', None, NO_FRAME),
    'only brackets': (b'[[\n],\n]\n', None, NO_FRAME),
    'zeros': (bytes(100), 1, NUL),
    'JPEG': (b'\xff\xd8\xff\xe0\x00\x10JFIF\x00', 1, TEXT),
    'ELF': (b'\x7fELF\x02\x01\x01' + bytes(9), 1, NUL),
    'zip': (b'PK\x03\x04\x14\x00\x00\x00', 1, NUL),
    'NumPy': (b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'}\n", 1, TEXT),
    'pickle': (b'\x80\x04\x95\x10\x00\x00\x00', 1, TEXT),
    'zlib without gzip': (zlib.compress(GOOD), 1, TEXT),
    'gzip twice': (gzip.compress(gzip.compress(GOOD)), 1, TEXT),
    'JSON': (b'{"frames": [[0.5]]}\n', 1, TITLE),
    'CSV with a title': (b'x,y,value\n0,0,0.5\n', 1, TITLE),
    'UTF-16 with mark': (GOOD.decode().encode('utf-16'), 1, TEXT),
    'UTF-16, little end first': (GOOD.decode().encode('utf-16-le'), 1, NUL),
    'UTF-16, big end first': (GOOD.decode().encode('utf-16-be'), 1, NUL),
    'UTF-32': (GOOD.decode().encode('utf-32-le'), 1, NUL),
    'EBCDIC': (GOOD.decode().encode('cp500'), 1, TEXT),
    'a lone surrogate in a row': (with_bytes(b'\xed\xa0\x80'), LINE, TEXT),
    'a lone surrogate in a comment': (with_bytes(b' # \xed\xb2\x80'), LINE, TEXT),
    'a lone surrogate in a header': (
        GOOD.replace(b'Frame 1', b'Frame \xed\xa0\x801'),
        22,
        TEXT,
    ),
    'an overlong space': (with_bytes(b'\xc0\xa0'), LINE, TEXT),
    'Latin-1 in a comment': (with_bytes(b' # \xe9'), LINE, TEXT),
    'a row of binary': (with_bytes(bytes(range(256))), LINE, NUL),
    'binary behind the text': (GOOD + b'\x80\x00\xff', 64, TEXT),
    'a second file behind the text': (GOOD + gzip.compress(GOOD), 64, TEXT),
    'zeros behind the text': (GOOD + bytes(4096), 64, NUL),
    'a row with a form feed': (with_bytes(b'\f'), LINE, 'not a number: '),
    'a carriage return in a row': (with_bytes(b'\r'), LINE, 'not a number: '),
    'gzip, cut': (gzip.compress(GOOD)[:-2000], None, 'broken gzip file ('),
    'gzip, cut behind the header': (gzip.compress(GOOD)[:10], None, 'broken gzip file ('),
    'gzip, junk behind it': (gzip.compress(GOOD) + b'junk', None, 'broken gzip file ('),
    'gzip, another method': (b'\x1f\x8b\x07' + bytes(20), None, 'broken gzip file ('),
    'gzip of nothing': (gzip.compress(b''), None, NO_FRAME),
    'gzip of a cut text': (
        gzip.compress(GOOD[: GOOD.rindex(b'\n', 0, -1) + 1]),
        62,
        'truncated last frame 2: 19 rows, expected 20',
    ),
}


@pytest.mark.parametrize('name', CONTENTS)
def test_what_is_no_heatmap_text_is_refused(tmp_path, name):
    content, line, words = CONTENTS[name]
    found, fault = refused(tmp_path / 'x.txt', content)
    assert fault.startswith(words)
    assert found == line
