"""The files that statistics end in."""

import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmsal.comparison.gaze.pairs import compare_pairs
from mmsal.comparison.gaze.summary import summarize
from mmsal.comparison.gaze.tables import escape_latex, write_tables
from tests.comparison.gaze.tidy_rows import tidy, tidy_observers

NAN = float('nan')
NASTY = r'[50%]_{a}&b #1 ~ ^ \ <x> | "q" $'
VALUES = {
    'chance': [0.1, 0.2, 0.0],
    NASTY: [1.0, 2.0, 3.0],
    'net': [1.5, 2.5, 2.0],
}
METRICS = [('NSS', 'tuebingen'), ('KLD', 'mit'), ('CC', 'mit'), ('SIM', 'mit'), ('IG', 'tuebingen')]


@pytest.fixture
def results() -> pd.DataFrame:
    parts = [
        tidy({**VALUES, 'motion': [NAN, NAN, None]}, *measure, level=level)
        for measure in METRICS
        for level in ('video', 'static')
    ]
    ceiling = {**VALUES, 'human ceiling': [3.0, 3.0, 4.0]}
    return pd.concat([*parts, tidy(ceiling, reference='each observer')])


@pytest.fixture
def written(results, tmp_path):
    folder = tmp_path / 'new' / 'out'
    summary, pairs = summarize(results, seed=7), compare_pairs(results)
    return folder, summary, pairs, write_tables(folder, summary, pairs)


def test_what_is_written(written):
    folder, *_, paths = written
    names = {path.relative_to(folder).as_posix() for path in folder.rglob('*') if path.is_file()}
    tables = {
        f'tables/summary_{level}{suffix}'
        for level in ('video', 'static')
        for suffix in ('.csv', '.md', '.tex')
    }
    assert names == {'summary.csv', 'pairs.csv', *tables}
    assert {path.relative_to(folder).as_posix() for path in paths} == names


def test_tidy_files_hold_every_digit(written):
    folder, summary, pairs, _ = written
    for name, table in (('summary.csv', summary), ('pairs.csv', pairs)):
        read = pd.read_csv(folder / name)
        pd.testing.assert_frame_equal(
            read, table, check_exact=True, check_dtype=False, check_like=False
        )


def test_wide_csv(written):
    folder, summary, *_ = written
    with (folder / 'tables' / 'summary_video.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['model'] for row in rows] == [
        NASTY, 'net', 'chance', 'motion', NASTY, 'net', 'chance', 'human ceiling',
    ]  # fmt: skip
    assert {row['reference'] for row in rows[:4]} == {'all observers'}
    assert rows[3]['KLD (mit)'] == 'undefined' and rows[7]['KLD (mit)'] == ''
    keys = ['model', 'reference', 'level', 'metric', 'convention']
    numbers = summary.set_index(keys)[['mean', 'low', 'high']]
    for row in rows[:3]:
        for measure in METRICS:
            mean, low, high = numbers.loc[(row['model'], 'all observers', 'video', *measure)]
            cell = row[f'{measure[0]} ({measure[1]})']
            assert cell == f'{mean:.3f} [{low:.3f}, {high:.3f}]'


def blocks_of(text: str) -> list[list[list[str]]]:
    """Rows of cells of every tabular, rules as rows of one cell."""
    blocks = []
    for body in re.findall(r'\\begin\{tabular\}\{l+\}\n(.*?)\\end\{tabular\}', text, re.DOTALL):
        lines = body.strip().split('\n')
        blocks.append([re.split(r'(?<!\\) & ', line.removesuffix(r' \\')) for line in lines])
    return blocks


def test_latex_structure(written):
    text = (written[0] / 'tables' / 'summary_video.tex').read_text()
    assert text.count(r'\begin{table}') == text.count(r'\end{table}') == 2
    opened = re.findall(r'\\(begin|end)\{(\w+)\}', text)
    stack: list[str] = []
    for kind, name in opened:
        if kind == 'begin':
            stack.append(name)
        else:
            assert stack.pop() == name
    assert not stack
    assert len(set(re.findall(r'\\label\{(.*?)\}', text))) == 2
    blocks = blocks_of(text)
    assert [len(block[1]) - 1 for block in blocks] == [4, 1, 1]
    for block in blocks:
        rules = [row[0] for row in block if len(row) == 1]
        assert rules == [r'\toprule', r'\midrule', r'\midrule', r'\bottomrule']
        assert len({len(row) for row in block if len(row) > 1}) == 1
        names = [row[0] for row in block]
        assert names.index('net') < names.index(r'\midrule', 3) < names.index('chance')
    for plain in re.sub(r'\\.|\{|\}', '', text.replace('\\\\', '')).split('\n')[1:]:
        assert not re.search(r'(?<!\\)[#%_~^]', re.sub(r'\$.*?\$', '', plain))


def test_the_best_model_is_bold_in_its_direction(written):
    text = (written[0] / 'tables' / 'summary_video.tex').read_text()
    first, second = blocks_of(text)[:2]
    columns = first[1][1:] + second[1][1:]
    assert columns == [
        r'NSS (tuebingen) $\uparrow$', r'IG (tuebingen) $\uparrow$', r'CC (mit) $\uparrow$',
        r'SIM (mit) $\uparrow$', r'KLD (mit) $\downarrow$',
    ]  # fmt: skip
    # Both models have a mean of 2, so both are best; chance's lower KLD is not in the race.
    assert text.count(r'\mathbf{2.000}') == 2 * len(columns) + 2
    assert r'\mathbf{0.100}' not in text
    worse = {**VALUES, 'net': [0.5, 0.5, 0.5]}
    parts = pd.concat([tidy(worse, 'NSS'), tidy(worse, 'KLD')])
    write_tables(written[0], summarize(parts), compare_pairs(parts))
    text = (written[0] / 'tables' / 'summary_video.tex').read_text()
    (block,) = blocks_of(text)
    rows = {row[0]: row[1:] for row in block}
    assert [r'\mathbf' in cell for cell in rows['net']] == [False, True]
    assert [r'\mathbf' in cell for cell in rows[escape_latex(NASTY)]] == [True, False]


def test_one_model_is_not_the_best_of_many(tmp_path):
    table = tidy({'net': [1.0, 2.0], 'chance': [0.0, 0.0]})
    write_tables(tmp_path, summarize(table), compare_pairs(table))
    assert r'\mathbf' not in (tmp_path / 'tables' / 'summary_video.tex').read_text()


def test_names_are_escaped():
    escaped = escape_latex(NASTY)
    assert escaped == (
        r'{[}50\%{]}\_\{a\}\&b \#1 \textasciitilde{} \textasciicircum{} \textbackslash{} '
        r'\textless{}x\textgreater{} \textbar{} \char34{}q\char34{} \$'
    )
    assert escape_latex('two\nlines--é') == 'two lines{-}{-}é'


def test_captions(results, tmp_path):
    rng = np.random.default_rng(0)
    crossed = tidy_observers({'net': rng.normal(size=(3, 4))}, metric='CC')
    both = pd.concat([results[results['reference'] == 'all observers'], crossed])
    summary = summarize(both, over=('video', 'observer'), seed=5, resamples=123, confidence=0.9)
    write_tables(tmp_path, summary, compare_pairs(both), synthetic=True)
    text = (tmp_path / 'tables' / 'summary_video.tex').read_text()
    pooled, each = re.findall(r'\\caption\{(.*)\}\n', text)
    beginning = 'SYNTHETIC data. Means over {} videos (level video, gaze of {}); in brackets '
    drawn = r'90 \% percentile intervals, 123 bootstrap draws of {}, seed 5. Bold'
    assert pooled.startswith(beginning.format('0 to 3', 'all observers') + drawn.format('videos'))
    assert each.startswith(
        beginning.format('3', 'each observer') + drawn.format('videos and observers')
    )
    text = (tmp_path / 'tables' / 'summary_video.md').read_text()
    assert text.startswith(beginning.format('0 to 3', 'all observers'))
    write_tables(tmp_path, pd.DataFrame(summary.to_dict('list')), compare_pairs(both))
    text = (tmp_path / 'tables' / 'summary_video.md').read_text()
    assert text.startswith('Means over 0 to 3 videos (level video, gaze of all observers).\n')


def test_markdown_rows_have_all_their_cells(written):
    lines = (written[0] / 'tables' / 'summary_video.md').read_text().split('\n')
    rows = [re.split(r'(?<!\\)\|', line) for line in lines if line.startswith('|')]
    # Two tables: five metrics, then the one that each observer has; ends give two empty cells.
    assert [len(row) for row in rows] == [1 + 5 + 2] * 6 + [1 + 1 + 2] * 6
    assert [row[1].strip() for row in rows[3:6]] == ['net', 'chance', 'motion']
    assert r'\|' in rows[2][1] and r'\\' in rows[2][1]


def test_tables_of_other_levels_go(written, tmp_path):
    folder = written[0]
    (folder / 'tables' / 'mine.tex').write_text('kept')
    only = tidy(VALUES, level='static')
    write_tables(folder, summarize(only), compare_pairs(only))
    names = {path.name for path in (folder / 'tables').iterdir()}
    assert names == {'mine.tex', *(f'summary_static{s}' for s in ('.csv', '.md', '.tex'))}


def test_a_failure_leaves_what_was_there(written, monkeypatch):
    folder, summary, pairs, paths = written
    before = {path: path.read_bytes() for path in paths}
    write = Path.write_text

    def fail(path, text, **options):
        if 'summary_static.md' in path.name:
            raise OSError('disk full')
        return write(path, text, **options)

    monkeypatch.setattr(Path, 'write_text', fail)
    with pytest.raises(OSError, match='disk full'):
        write_tables(folder, summary.assign(mean=9.0), pairs)
    assert {path: path.read_bytes() for path in paths} == before
    assert {path for path in folder.rglob('*') if path.is_file()} == set(paths)
