"""What the text reader accepts beyond the plain format."""

import gzip

import numpy as np
import pytest

from mmsal.heatmaps import read_heatmaps

EXPECTED = np.array([[[0.25, 0.5, 1], [0, 0.125, 0.75]], [[1, 0, 0.5], [0.5, 0.25, 0]]], np.float32)
HEADER = 'Frame {} - Heatmap values:'
ROWS = '0.250 0.500 1.000\n0.000 0.125 0.750\n', '1.000 0.000 0.500\n0.500 0.250 0.000\n'
PLAIN = f'{HEADER.format(0)}\n{ROWS[0]}{HEADER.format(2)}\n{ROWS[1]}'


def rewritten(first, middle, last, separator, number='{}'):
    """Write each frame's two rows between three pieces of text, numbers joined by a separator."""
    blocks = []
    for text in ROWS:
        rows = [separator.join(number.format(n) for n in row.split()) for row in text.splitlines()]
        blocks.append(f'{first}{rows[0]}{middle}{rows[1]}{last}\n')
    return f'{HEADER.format(0)}\n{blocks[0]}{HEADER.format(2)}\n{blocks[1]}'


VARIANTS = {
    'plain': PLAIN,
    'no newline at the end': PLAIN.rstrip('\n'),
    'numpy print': rewritten('[[', ']\n [', ']]', ' '),
    'list print': rewritten('[[', '],\n [', ']]', ', '),
    'brackets on their own lines': rewritten('[\n[', '],\n[', ']\n]', ', '),
    'tuples': rewritten('(', ')\n(', ')', ' '),
    'brackets between numbers': rewritten('', '\n', '', ' ', '[{}]'),
    'brackets around numbers and rows': rewritten('[', ']\n[', ']', ',', '({})'),
    'commas': rewritten('', '\n', '', ','),
    'commas and spaces': rewritten('', '\n', '', ' , '),
    'trailing commas': PLAIN.replace('0\n', '0,\n'),
    'tabs': PLAIN.replace('0 0', '0\t0'),
    'several spaces': PLAIN.replace('0 0', '0   0'),
    'indented': PLAIN.replace('\n', '\n  '),
    'trailing spaces': PLAIN.replace('\n', '  \n'),
    'blank lines': '\n\n' + PLAIN.replace('\n', '\n\n \t\n'),
    'CRLF': PLAIN.replace('\n', '\r\n'),
    'comment lines': '# Frame 7 - Heatmap values:\n' + PLAIN.replace('\n', '\n# 1 2 3\n'),
    'comments behind': PLAIN.replace('\n', ' # 1 2 3\n'),
    'comment without newline': PLAIN + '# end',
    'comment in UTF-8': PLAIN + '# Übersicht\n',
    'byte order mark': '\ufeff' + PLAIN,
    'integers': PLAIN.replace('1.000', '1').replace('0.000', '0'),
    'short numbers': PLAIN.replace('0.250', '.25').replace('1.000', '1.'),
    'signs': PLAIN.replace('0.500', '+0.5').replace('0.000', '-0'),
    'exponents': PLAIN.replace('0.250', '2.5e-1').replace('0.500', '5E-01'),
    'savetxt': PLAIN.replace('0.125', '1.250000000000000000e-01'),
    'many decimals': PLAIN.replace('0.125', '0.125' + '0' * 300),
    'headers in capitals': PLAIN.replace('Frame', 'FRAME').replace('values:', 'VALUES'),
    'headers spaced': PLAIN.replace(' - ', '-').replace('Frame ', '  Frame\t00'),
}


@pytest.mark.parametrize('compress', [False, True], ids=['text', 'gzip'])
@pytest.mark.parametrize('name', ['x.txt', 'x.txt.gz', 'X.TXT'])
@pytest.mark.parametrize('variant', VARIANTS)
def test_variant_is_read(tmp_path, variant, name, compress):
    content = VARIANTS[variant].encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if compress else content)
    sequence = read_heatmaps(path)
    np.testing.assert_array_equal(sequence.values, EXPECTED)
    assert sequence.values.dtype == np.float32
    assert sequence.frame_indices.tolist() == [0, 2]
    assert sequence.frame_indices.dtype == np.int64
    assert sequence.meta == {}
    assert sequence.seen is None


def test_variants_differ_from_the_plain_text():
    assert len(set(VARIANTS.values())) == len(VARIANTS)


@pytest.mark.parametrize('indices', [[1, 2, 3], [0, 2, 4], [9, 4, 0], [10**17, 0, 1], [7]])
def test_any_numbering_is_kept_in_the_order_of_the_file(tmp_path, indices):
    path = tmp_path / 'x.txt'
    path.write_text(''.join(f'{HEADER.format(i)}\n0.{i % 10}\n' for i in indices))
    sequence = read_heatmaps(path)
    assert sequence.frame_indices.tolist() == indices
    assert sequence.values[:, 0, 0].tolist() == [np.float32(i % 10 / 10) for i in indices]


def test_values_outside_the_unit_interval_are_returned_as_they_are(tmp_path):
    path = tmp_path / 'x.txt'
    path.write_text(f'{HEADER.format(0)}\n-0.500 12.75\n3.500 3e38\n')
    assert read_heatmaps(path).values.tolist() == [[[-0.5, 12.75], [3.5, np.float32(3e38)]]]


@pytest.mark.parametrize('style', ['%.6f', '%.9f', '%.18e', '%g', '%.3f,'])
def test_every_block_equals_loadtxt(tmp_path, style):
    values = np.random.default_rng(0).random((3, 20, 30)) * [[[1]], [[5]], [[0.01]]]
    path = tmp_path / 'x.txt'
    with path.open('w') as file:
        for index, frame in enumerate(values):
            print(HEADER.format(index), file=file)
            np.savetxt(file, frame, style)
    lines = path.read_text().replace(',', '').splitlines()
    for index, frame in enumerate(read_heatmaps(path).values):
        block = lines[21 * index + 1 : 21 * (index + 1)]
        np.testing.assert_array_equal(frame, np.loadtxt(block, np.float32))


def test_a_read_sequence_can_be_changed(tmp_path):
    path = tmp_path / 'x.txt'
    path.write_text(PLAIN)
    values = read_heatmaps(path).values
    values *= 2
    np.testing.assert_array_equal(values, 2 * EXPECTED)
