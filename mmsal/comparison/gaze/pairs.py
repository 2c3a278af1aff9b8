"""Which of two models is closer to people: differences within videos, tested and corrected."""

from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from mmsal.comparison.gaze.values import MEASURE, models_of, video_values
from mmsal.comparison.resampling import Bootstrap, columns_by_count, sign_flip_test
from mmsal.comparison.yardsticks import LOWER_IS_BETTER, YARDSTICKS

PAIR_COLUMNS = (
    'model', 'other', *MEASURE, 'difference', 'low', 'high', 'p', 'p_corrected',
    'effect_size', 'probability', 'videos',
)  # fmt: skip
HOLM, BENJAMINI_HOCHBERG = 'holm', 'benjamini-hochberg'
CORRECTIONS = (HOLM, BENJAMINI_HOCHBERG)
LEAST_FLIPS = 10_000
MODELS, WITH_YARDSTICKS = 'models', 'yardsticks'  # kinds of pairs


def compare_pairs(
    results: pd.DataFrame,
    models: Sequence[str] | None = None,
    *,
    seed: int = 0,
    resamples: int = 2000,
    flips: int | None = None,
    confidence: float = 0.95,
    correction: str = HOLM,
) -> pd.DataFrame:
    """Every two models, and every model and yardstick, on the videos that both have.

    The test is :func:`mmsal.comparison.resampling.sign_flip_test` of the mean difference, which
    asks for no normal distribution. With N videos p is at least 2^(1 - N): fewer than six cannot
    reach 0.05, and a correction for m tests needs about log2(m) more.

    All tests of models with each other under one reference and at one level (pairs x metrics x
    conventions) are one family, those with yardsticks another: they answer another question.
    Within a family ``p_corrected`` controls the chance of any false difference (``holm``; Holm,
    1979), or the share of false ones among those found (``benjamini-hochberg``; 1995). To ask
    fewer questions, hand in the results of fewer metrics or models.

    Args:
        results: As of :func:`mmsal.comparison.gaze.summary.summarize`.
        models: The models to compare, in their order; None takes all that are no yardsticks.
        seed, resamples, confidence: Of :class:`mmsal.comparison.resampling.Bootstrap`; the seed
            also of the flips.
        flips: Random sign patterns of a test; None takes 10,000, or as many as let the smallest
            p of a family reach half of 1 - confidence after Holm's correction.
        correction: ``holm`` or ``benjamini-hochberg``.

    Returns:
        One row per reference, level, metric, convention and pair: ``difference`` is the mean over
        videos of model - other, whichever direction is better; ``low`` and ``high`` its bootstrap
        interval; ``p`` two-sided; ``effect_size`` Cohen's d_z, the mean difference by the standard
        deviation of differences (N - 1), NaN where they do not vary; ``probability`` the share of
        videos in which ``model`` is better, ties half; ``videos`` that have both values. Where
        one of them is infinite, all but the last two are NaN. In ``attrs``: seed, resamples,
        confidence, correction, ``flips`` and ``tests`` by level, reference and kind of pair.

    Raises:
        ValueError: An unknown model or correction, or as ``summarize``.
    """
    if correction not in CORRECTIONS:
        raise ValueError(f'expected correction to be one of {CORRECTIONS}, got {correction!r}')
    bootstrap = Bootstrap(seed, resamples, confidence)
    values = video_values(results)
    kinds = _pairs(models_of(values), models)
    families, used, tests = [], {}, {}
    groups = values.groupby(level=MEASURE[:2], observed=True)
    for ((reference, level), family), (kind, chosen) in product(groups, kinds.items()):
        table = _Tests(family, chosen)
        if not table.rows:
            continue
        name = f'{level}, {reference}, {kind}'
        tests[name] = int((table.videos > 0).sum())
        enough = int(np.ceil(2 * tests[name] / (1 - confidence)))
        used[name] = max(LEAST_FLIPS, enough) if flips is None else flips
        families.append(table.result(bootstrap, used[name], correction))
    pairs = pd.concat(families or [pd.DataFrame(columns=list(PAIR_COLUMNS))], ignore_index=True)
    pairs.attrs = {
        'seed': seed,
        'resamples': resamples,
        'confidence': confidence,
        'correction': correction,
        'flips': used,
        'tests': tests,
    }
    return pairs


def correct(p: np.ndarray, correction: str = HOLM) -> np.ndarray:
    """p of one family of tests, corrected; NaN is no test and stays.

    ``holm`` is the step-down procedure (Holm, Scandinavian Journal of Statistics, 1979),
    ``benjamini-hochberg`` the step-up procedure of false discovery rates (1995).
    """
    p = np.asarray(p, dtype=np.float64)
    corrected, tested = np.full(p.shape, np.nan), ~np.isnan(p)
    known = p[tested]
    if not len(known):
        return corrected
    if correction == BENJAMINI_HOCHBERG:
        corrected[tested] = false_discovery_control(known, method='bh')
        return corrected
    order = np.argsort(known, kind='stable')
    steps = np.maximum.accumulate(known[order] * np.arange(len(known), 0, -1))
    known[order] = np.minimum(steps, 1)
    corrected[tested] = known
    return corrected


def _pairs(found: list[str], models: Sequence[str] | None) -> dict[str, list[tuple[str, str]]]:
    """Pairs by the question that they answer: models with each other, and with yardsticks."""
    if models is None:
        models = [model for model in found if model not in YARDSTICKS]
    for model in models:
        if model not in found or model in YARDSTICKS:
            known = ', '.join(name for name in found if name not in YARDSTICKS)
            raise ValueError(f'expected models among {known}, got {model!r}')
    if len(set(models)) < len(models):
        raise ValueError(f'expected each model once, got {", ".join(models)}')
    yardsticks = [name for name in YARDSTICKS if name in found]
    return {
        MODELS: list(combinations(models, 2)),
        WITH_YARDSTICKS: list(product(models, yardsticks)),
    }


class _Tests:
    """All tests of one reference and level: a column each, a row per video."""

    def __init__(self, family: pd.Series, pairs: list[tuple[str, str]]) -> None:
        table = family.droplevel(MEASURE[:2]).unstack('video').T.sort_index()
        column = {key: number for number, key in enumerate(table)}
        measures = list(dict.fromkeys(key[:2] for key in table))
        reference, level = family.index[0][:2]
        self.rows, own, other = [], [], []
        for measure, pair in product(measures, pairs):
            if all((*measure, model) in column for model in pair):
                self.rows.append((*pair, reference, level, *measure))
                own.append(column[(*measure, pair[0])])
                other.append(column[(*measure, pair[1])])
        first, second = table.to_numpy()[:, own], table.to_numpy()[:, other]
        both = ~np.isnan(first) & ~np.isnan(second)
        self.videos = both.sum(axis=0)
        with np.errstate(invalid='ignore'):  # infinity minus infinity
            differences = first - second
            # What is left of two equal numbers is the rounding of their last digits.
            noise = 4 * np.finfo(float).eps * np.maximum(np.abs(first), np.abs(second))
        differences[np.abs(differences) <= np.where(np.isfinite(noise), noise, 0)] = 0
        differences[both & (first == second)] = 0
        self.differences = np.where(both, differences, np.nan)

    def result(self, bootstrap: Bootstrap, flips: int, correction: str) -> pd.DataFrame:
        numbers = {name: np.full(len(self.rows), np.nan) for name in PAIR_COLUMNS[6:-1]}
        for part, columns in columns_by_count(self.differences):
            if not len(part):
                continue
            numbers['probability'][columns] = self._probability(part, columns)
            finite = np.isfinite(part).all(axis=0)
            part, columns = part[:, finite], columns[finite]
            numbers['difference'][columns] = part.mean(axis=0)
            bounds = bootstrap.interval(bootstrap.means(part))
            numbers['low'][columns], numbers['high'][columns] = bounds
            numbers['p'][columns] = sign_flip_test(part, bootstrap.seed, flips)
            numbers['effect_size'][columns] = _effect_size(part)
        numbers['p_corrected'] = correct(numbers['p'], correction)
        rows = pd.DataFrame(self.rows, columns=list(PAIR_COLUMNS[:6]))
        return rows.assign(**numbers, videos=self.videos)

    def _probability(self, differences: np.ndarray, columns: np.ndarray) -> np.ndarray:
        lower = np.array([self.rows[column][4] in LOWER_IS_BETTER for column in columns])
        better = np.where(lower, differences < 0, differences > 0)
        return (better + 0.5 * (differences == 0)).mean(axis=0)


def _effect_size(differences: np.ndarray) -> np.ndarray:
    """Cohen's d_z [K]."""
    if len(differences) < 2:
        return np.full(differences.shape[1], np.nan)
    means, deviations = differences.mean(axis=0), differences.std(axis=0, ddof=1)
    varies = deviations > 1e-12 * np.abs(differences).max(axis=0)
    return np.divide(means, deviations, out=np.full(len(means), np.nan), where=varies)
