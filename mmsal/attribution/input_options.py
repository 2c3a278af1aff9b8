"""The methods that look at the input, their options, and what these may be."""

import math
from collections.abc import Sequence
from numbers import Integral, Real

# The methods, their options and the defaults of these; stride None is half the window.
INPUT_OPTIONS = {
    'input_gradient': {},
    'integrated_gradients': {'steps': 32},
    'smoothgrad': {'samples': 16, 'noise': 0.15, 'seed': 0},
    'occlusion': {'window': (4, 32, 32), 'stride': None},
}
INPUT_METHODS = tuple(INPUT_OPTIONS)
MOST = 2**32 - 1  # for whole numbers; more is a slip


def checked_options(method: str, options: dict) -> dict:
    """All options of a method, as given or by default.

    Raises:
        ValueError: An option that the method does not have, or a value that makes no sense.
    """
    known = INPUT_OPTIONS[method]
    for name in options:
        if name not in known:
            expected = f'one of {", ".join(known)}' if known else 'none'
            raise ValueError(f'expected options of {method} to be {expected}, got {name!r}')
    checked = {**known, **options}
    for name in {'steps', 'samples', 'seed'} & checked.keys():
        checked[name] = _whole(name, checked[name], least=int(name != 'seed'))
    if 'noise' in checked:
        noise = checked['noise']
        if not isinstance(noise, Real) or isinstance(noise, bool) or not 0 < noise < math.inf:
            raise ValueError(f'expected noise to be a number above 0, got {noise!r}')
        checked['noise'] = float(noise)
    if 'window' in checked:
        checked['window'], checked['stride'] = _windows(checked['window'], checked['stride'])
    return checked


def _whole(name: str, value: object, least: int) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or not least <= value <= MOST:
        raise ValueError(
            f'expected {name} to be a whole number from {least} to {MOST}, got {value!r}'
        )
    return int(value)


def _windows(window: object, stride: object) -> tuple[tuple, tuple]:
    window = _three('window', window)
    stride = [max(1, length // 2) for length in window] if stride is None else stride
    stride = _three('stride', stride)
    if any(step > length for step, length in zip(stride, window, strict=True)):
        raise ValueError(f'expected stride to be at most the window, {window}, got {stride}')
    return window, stride


def _three(name: str, value: object) -> tuple[int, int, int]:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 3:
        raise ValueError(f'expected {name} to be (frames, height, width), got {value!r}')
    return tuple(_whole(name, length, 1) for length in value)
