"""Statistics of a gaze comparison as files: tidy for programs, wide for papers."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mmsal.comparison.gaze.values import LEVELS
from mmsal.comparison.yardsticks import EACH_OBSERVER, LOWER_IS_BETTER, YARDSTICKS
from mmsal.heatmaps.atomic import atomic_files

SUFFIXES = ('.csv', '.md', '.tex')
COLUMNS_PER_BLOCK = 4  # with intervals, what a page is wide enough for
# As LaTeX's text mode writes them. A row that begins with [ would be an option of the \\ before.
LATEX = {
    '\\': r'\textbackslash{}', '&': r'\&', '%': r'\%', '$': r'\$', '#': r'\#', '_': r'\_',
    '{': r'\{', '}': r'\}', '~': r'\textasciitilde{}', '^': r'\textasciicircum{}',
    '<': r'\textless{}', '>': r'\textgreater{}', '|': r'\textbar{}', '[': '{[}', ']': '{]}',
    '"': r'\char34{}', '-': '{-}',
}  # fmt: skip


def write_tables(
    folder: Path, summary: pd.DataFrame, pairs: pd.DataFrame, *, synthetic: bool = False
) -> list[Path]:
    """Write all tables; each appears complete or not at all, ``summary.csv`` last.

    ``summary.csv`` and ``pairs.csv`` hold the numbers in full. For each level that the summary
    has, ``tables/summary_LEVEL.csv``, ``.md`` and ``.tex`` are wide: a row per model, yardsticks
    last, a column per metric and convention, cells ``mean [low, high]``. The LaTeX file holds a
    ``table`` per reference (package ``booktabs``), its columns in blocks below each other; an
    arrow shows the better direction, and the best mean of two or more models is bold. Wide tables
    that an earlier call has left of other levels are removed.

    Args:
        folder: Made if it lacks.
        summary: Of :func:`mmsal.comparison.gaze.summary.summarize`; its ``attrs`` go into the
            captions where they are there.
        pairs: Of :func:`mmsal.comparison.gaze.pairs.compare_pairs`.
        synthetic: Whether captions say that the data are SYNTHETIC.

    Returns:
        The files written.

    Raises:
        OSError: The folder cannot be written to.
    """
    folder = Path(folder)
    wide = folder / 'tables'
    wide.mkdir(parents=True, exist_ok=True)
    texts, earlier = {}, []
    for level in LEVELS:
        tables = [
            _Wide(part, str(reference), level, summary.attrs, synthetic)
            for reference, part in summary[summary['level'] == level].groupby(
                'reference', sort=False
            )
        ]
        paths = [wide / f'summary_{level}{suffix}' for suffix in SUFFIXES]
        if tables:
            texts.update(zip(paths, _texts(tables), strict=True))
        else:
            earlier += paths
    with atomic_files(*texts) as temporary:
        for path, text in zip(temporary, texts.values(), strict=True):
            path.write_text(text, encoding='utf-8', newline='\n')
    tidy = {folder / 'pairs.csv': pairs, folder / 'summary.csv': summary}
    with atomic_files(*tidy) as temporary:
        for path, table in zip(temporary, tidy.values(), strict=True):
            table.to_csv(path, index=False, lineterminator='\n')
    for path in earlier:
        path.unlink(missing_ok=True)
    return [*texts, *tidy]


def escape_latex(text: str) -> str:
    """A name as LaTeX's text mode prints it, on one line."""
    return ''.join(LATEX.get(sign, sign) for sign in ' '.join(text.split()))


@dataclass(frozen=True)
class _Wide:
    """The summary of one level and reference."""

    rows: pd.DataFrame
    reference: str
    level: str
    attrs: dict
    synthetic: bool

    @property
    def measures(self) -> list[tuple[str, str]]:
        return list(dict.fromkeys(zip(self.rows['metric'], self.rows['convention'], strict=True)))

    @property
    def models(self) -> list[str]:
        """Those of the user first."""
        return sorted(self.rows['model'].unique(), key=lambda name: name in YARDSTICKS)

    def cells(self, measure: tuple[str, str]) -> dict[str, tuple[str, bool]]:
        """Text of a model's cell, and whether its mean is the best of the user's models."""
        of_measure = (self.rows['metric'] == measure[0]) & (self.rows['convention'] == measure[1])
        found = self.rows[of_measure].set_index('model')
        means = found['mean'][[name not in YARDSTICKS for name in found.index]].dropna()
        best = means.min() if measure[0] in LOWER_IS_BETTER else means.max()
        return {
            model: (_cell(row), len(means) > 1 and model in means and row['mean'] == best)
            for model, row in found.iterrows()
        }

    def caption(self) -> str:
        counts = self.rows['videos']
        least, most = int(counts.min()), int(counts.max())
        videos = f'{most}' if least == most else f'{least} to {most}'
        text = f'Means over {videos} videos (level {self.level}, gaze of {self.reference})'
        if self.synthetic:
            text = f'SYNTHETIC data. {text}'
        if 'seed' in self.attrs:
            # Pooled observers cannot be drawn anew one by one.
            over = self.attrs['over'] if self.reference == EACH_OBSERVER else ['video']
            percent = f'{100 * self.attrs["confidence"]:g}'
            text += (
                f'; in brackets {percent} % percentile intervals, {self.attrs["resamples"]} '
                f'bootstrap draws of {" and ".join(f"{name}s" for name in over)}, '
                f'seed {self.attrs["seed"]}'
            )
        return text + '.'


def _cell(row: pd.Series) -> str:
    if np.isnan(row['mean']):
        return 'undefined'
    text = f'{row["mean"]:.3f}'
    return text if np.isnan(row['low']) else f'{text} [{row["low"]:.3f}, {row["high"]:.3f}]'


def _texts(tables: list[_Wide]) -> tuple[str, str, str]:
    """CSV, Markdown and LaTeX of one level."""
    whole = pd.concat([_frame(table) for table in tables], ignore_index=True)
    markdown = '\n'.join(line for table in tables for line in _markdown(table))
    latex = '\n'.join(line for table in tables for line in _latex(table))
    note = '% Needs \\usepackage{booktabs}.\n'
    return whole.to_csv(index=False, lineterminator='\n'), f'{markdown}\n', f'{note}{latex}\n'


def _frame(table: _Wide) -> pd.DataFrame:
    columns: dict[str, list[str]] = {
        'model': table.models,
        'reference': [table.reference] * len(table.models),
    }
    for measure in table.measures:
        cells = table.cells(measure)
        columns[f'{measure[0]} ({measure[1]})'] = [
            cells.get(model, ('', False))[0] for model in table.models
        ]
    return pd.DataFrame(columns)


def _markdown(table: _Wide) -> Iterator[str]:
    frame = _frame(table).drop(columns='reference')
    yield from (table.caption(), '')
    yield f'| {" | ".join(frame.columns)} |'
    yield f'| {" | ".join(["---"] * len(frame.columns))} |'
    for row in frame.itertuples(index=False):
        name = ' '.join(row[0].split()).replace('\\', '\\\\').replace('|', '\\|')
        yield f'| {" | ".join([name, *row[1:]])} |'
    yield ''


def _latex(table: _Wide) -> Iterator[str]:
    yield from ('\\begin{table}', '\\centering', '\\footnotesize')
    caption = f'{table.caption()[:-1]}. Bold: the best mean of the models, which is no test.'
    yield f'\\caption{{{escape_latex(caption)}}}'
    yield f'\\label{{tab:{table.level}-{table.reference.replace(" ", "-")}}}'
    measures = table.measures
    for start in range(0, len(measures), COLUMNS_PER_BLOCK):
        block = measures[start : start + COLUMNS_PER_BLOCK]
        if start:
            yield '\\par\\medskip'
        yield from _latex_block(table, block)
    yield from ('\\end{table}', '')


def _latex_block(table: _Wide, measures: list[tuple[str, str]]) -> Iterator[str]:
    yield f'\\begin{{tabular}}{{l{"l" * len(measures)}}}'
    yield '\\toprule'
    heads = [
        f'{escape_latex(metric)} ({escape_latex(convention)}) ${_arrow(metric)}$'
        for metric, convention in measures
    ]
    yield f'{" & ".join(["", *heads])} \\\\'
    yield '\\midrule'
    columns = [table.cells(measure) for measure in measures]
    models = table.models
    for number, model in enumerate(models):
        if number and model in YARDSTICKS and models[number - 1] not in YARDSTICKS:
            yield '\\midrule'
        cells = [_latex_cell(*column.get(model, ('', False))) for column in columns]
        yield f'{" & ".join([escape_latex(model), *cells])} \\\\'
    yield from ('\\bottomrule', '\\end{tabular}')


def _arrow(metric: str) -> str:
    return '\\downarrow' if metric in LOWER_IS_BETTER else '\\uparrow'


def _latex_cell(text: str, best: bool) -> str:
    """Numbers in mathematics, for their minus signs."""
    mean, _, interval = text.partition(' ')
    if not mean or mean == 'undefined':
        return mean
    mean = mean.replace('inf', '\\infty')
    mean = f'$\\mathbf{{{mean}}}$' if best else f'${mean}$'
    return f'{mean} ${interval}$' if interval else mean
