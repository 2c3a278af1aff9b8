"""What the metrics are held against: pysaliency's own source, and loops as MIT's code has them.

pysaliency 0.2.22 cannot be imported (it needs torch and pkg_resources undeclared, and `np.trapz`,
which NumPy 2 lacks) and takes a compiler to install. Its sources are read instead, from

    python -m pip download --no-deps --dest .venv/oracle pysaliency==0.2.22

(`.venv` being the environment that runs the tests), or from the installed package.
"""

import importlib.util
import sys
import tarfile
import types
from pathlib import Path

import numpy as np
from scipy.optimize import linprog

VERSION = '0.2.22'
FOLDER = Path(sys.prefix) / 'oracle'
COMMAND = f'python -m pip download --no-deps --dest {{}} pysaliency=={VERSION}'


area = getattr(np, 'trapezoid', None) or getattr(np, 'trapz')  # noqa: B009  the name before NumPy 2


def _source(name: str) -> str:
    archive = FOLDER / f'pysaliency-{VERSION}.tar.gz'
    if archive.is_file():
        with tarfile.open(archive) as opened:
            return opened.extractfile(f'pysaliency-{VERSION}/pysaliency/{name}').read().decode()
    spec = importlib.util.find_spec('pysaliency')
    if spec is None:
        raise FileNotFoundError(f'these tests need: {COMMAND.format(FOLDER)}')
    return (Path(spec.submodule_search_locations[0]) / name).read_text(encoding='utf-8')


def pysaliency_module(name: str, numba=None) -> types.ModuleType:
    """A module of pysaliency, of `metrics.py` and `numba_utils.py`.

    Args:
        name: File name.
        numba: The module numba; None runs the loops as plain Python.
    """
    module = types.ModuleType(f'pysaliency_{Path(name).stem}')
    plain = types.SimpleNamespace(jit=lambda **_: lambda function: function)
    module.numba, module.area = plain if numba is None else numba, area
    source = _source(name).replace('import numba\n', '').replace('np.trapz(', 'area(')
    exec(compile(source, name, 'exec'), module.__dict__)
    return module


def judd_by_mit(saliency: np.ndarray, fixation_map: np.ndarray, noise) -> float:
    """AUC_Judd.m, with the noise it adds."""
    saliency = saliency + noise
    saliency = (saliency - saliency.min()) / (saliency.max() - saliency.min())
    fixated = saliency[fixation_map]
    count, pixels = len(fixated), saliency.size
    if not count:
        return np.nan
    tp, fp = [0.0], [0.0]
    for number, threshold in enumerate(sorted(fixated, reverse=True), 1):
        above = (saliency >= threshold).sum()
        tp.append(number / count)
        fp.append((above - number) / (pixels - count))
    return float(area([*tp, 1], [*fp, 1]))


def judd_by_pysaliency(rocs, saliency: np.ndarray, points: np.ndarray, noise) -> float:
    """AUC_Judd of saliency_map_models.py, with the noise it adds; rocs is numba_utils.py."""
    saliency = np.asarray(saliency, float) + noise
    x, y = np.asarray(points, int).T
    hit = np.zeros(saliency.shape, bool)
    hit[y, x] = True
    return float(rocs.general_roc_numba(saliency[y, x], saliency[~hit], judd=1)[0])


def auc_by_pysaliency(rocs, saliency: np.ndarray, points: np.ndarray, others=None) -> float:
    """AUC, and sAUC where there are points of other images."""
    saliency = np.asarray(saliency, float)
    x, y = np.asarray(points, int).T
    negatives = saliency.ravel()
    if others is not None:
        other_x, other_y = np.asarray(others, int).T
        negatives = saliency[other_y, other_x]
    return float(rocs.general_rocs_per_positive_numba(saliency[y, x], negatives).mean())


def _stepped(fixated: np.ndarray, drawn: np.ndarray) -> float:
    """Mean area over draws `[n, draws]`, as AUC_Borji.m and AUC_shuffled.m have it."""
    areas = []
    for current in drawn.T:
        highest = max(fixated.max(), current.max())
        # 0:0.1:highest; fixated values that lie on a threshold but for rounding reach it.
        thresholds = np.arange(int(highest * 10 + 1e-9), -1, -1) / 10
        tp, fp = [0.0], [0.0]
        for threshold in thresholds:
            tp.append((fixated >= threshold).sum() / len(fixated))
            fp.append((current >= threshold).sum() / len(current))
        areas.append(area([*tp, 1], [*fp, 1]))
    return float(np.mean(areas))


def borji_by_mit(saliency: np.ndarray, fixation_map: np.ndarray, drawn: np.ndarray) -> float:
    """AUC_Borji.m, with the pixels `[n, draws]` that it drew."""
    saliency = (saliency - saliency.min()) / (saliency.max() - saliency.min())
    return _stepped(saliency[fixation_map], saliency.ravel()[drawn])


def shuffled_by_mit(saliency, fixation_map, other_map, generator, draws: int = 100) -> float:
    """AUC_shuffled.m."""
    saliency = (saliency - saliency.min()) / (saliency.max() - saliency.min())
    others, count = np.flatnonzero(other_map), int(fixation_map.sum())
    chosen = [generator.permutation(others)[:count] for _ in range(draws)]
    return _stepped(saliency[fixation_map], saliency.ravel()[np.array(chosen).T])


def nss_by_mit(saliency: np.ndarray, fixation_map: np.ndarray) -> float:
    """NSS.m."""
    saliency = (saliency - saliency.mean()) / saliency.std(ddof=1)
    return float(saliency[fixation_map].mean())


def kld_by_mit(saliency: np.ndarray, reference: np.ndarray) -> float:
    """KLdiv.m."""
    eps = np.finfo(float).eps
    saliency, reference = saliency / saliency.sum(), reference / reference.sum()
    return float((reference * np.log(eps + reference / (saliency + eps))).sum())


def sim_by_mit(saliency: np.ndarray, reference: np.ndarray) -> float:
    """similarity.m."""
    stretched = [(one - one.min()) / (one.max() - one.min()) for one in (saliency, reference)]
    return float(np.minimum(*(one / one.sum() for one in stretched)).sum())


def gain_by_pysaliency(metrics, saliency, points, baseline, minimum_value=0.0) -> float:
    """information_gain of models.py, of SaliencyMapNormalizingModel's densities."""
    x, y = np.asarray(points, int).T
    densities = [
        metrics.convert_saliency_map_to_density(np.asarray(one, float), minimum_value=value)
        for one, value in ((saliency, minimum_value), (baseline, 0.0))
    ]
    logs = [np.log(density)[y, x] for density in densities]
    return float(((logs[0] - logs[1]) / np.log(2)).mean())


def emd_by_program(first: np.ndarray, second: np.ndarray) -> float:
    """The transport problem of two maps of few cells, written out as a linear program."""
    cells = first.size
    places = np.argwhere(np.ones(first.shape))
    costs = [np.hypot(*(a - b)) for a in places for b in places]
    leaves = np.kron(np.eye(cells), np.ones(cells))
    arrives = np.kron(np.ones(cells), np.eye(cells))
    amounts = np.concatenate([(one / one.sum()).ravel() for one in (first, second)])
    # One equation follows from the others; left in, rounding could make them contradict.
    equations = np.concatenate([leaves, arrives])[:-1]
    return float(linprog(costs, A_eq=equations, b_eq=amounts[:-1], method='highs').fun)
