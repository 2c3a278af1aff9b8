"""SYNTHETIC feature sequences in which a box of times and features alone tells the class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Shares of the sequence and of the features that a box covers: ((from, to), (from, to)).
BOXES = {
    'early': ((0.0, 0.3), (0.1, 0.9)),
    'middle': ((0.2, 0.8), (0.2, 0.8)),
    'late': ((0.7, 1.0), (0.1, 0.9)),
}


@dataclass(frozen=True)
class BoxData:
    """Simulated sequences of N samples, T time steps and D features.

    Attributes:
        inputs: float32 [N, T, D].
        labels: int64 [N], 0 or 1.
        truth: bool [N, T, D], True inside the box; the same for every sample and read-only.
    """

    inputs: np.ndarray
    labels: np.ndarray
    truth: np.ndarray


def make_boxes(
    samples: int,
    box: str = 'early',
    steps: int = 100,
    features: int = 100,
    mean: float = 1.0,
    seed: int = 0,
) -> BoxData:
    """Simulate the boxes of Ismail et al. 2019 (arXiv 1910.12370, section 5).

    Everything is Gaussian noise of standard deviation 1 and mean 0; in the box, the mean is
    ``mean`` for class 1 and ``-mean`` for class 0. So a perfect explanation marks the box and
    nothing else.

    With 100 steps of 100 features and mean 1, early and late boxes are the published ones of 30
    steps x 80 features, and the middle box that of 60 x 60; with other numbers boxes keep their
    shares. What differs from the publication: labels are 0 and 1 rather than -1 and 1; inputs are
    not standardised by the training set's statistics; and the data with three boxes, or with boxes
    that change their place from sample to sample, are left out.

    Args:
        samples (int): N.
        box (str): ``'early'``, ``'middle'`` or ``'late'``.
        steps (int): T, at least 10.
        features (int): D, at least 10.
        mean (float): Of the box, in standard deviations of the noise; above 0.
        seed (int): Of NumPy's generator; the same numbers give the same data.

    Raises:
        ValueError: An unknown box, or a number out of range.
    """
    if box not in BOXES:
        raise ValueError(f'expected box to be one of {", ".join(BOXES)}, got {box!r}')
    for name, value, least in (('samples', samples, 1), ('steps', steps, 10),
                               ('features', features, 10)):  # fmt: skip
        if value < least:
            raise ValueError(f'expected {name} of at least {least}, got {value}')
    if not 0 < mean < np.inf:
        raise ValueError(f'expected a mean above 0, got {mean}')
    when, which = (
        slice(*(round(share * count) for share in shares))
        for shares, count in zip(BOXES[box], (steps, features), strict=True)
    )
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, samples)
    inputs = generator.standard_normal((samples, steps, features), dtype=np.float32)
    inputs[:, when, which] += np.where(labels, mean, -mean).astype(np.float32)[:, None, None]
    truth = np.zeros((steps, features), bool)
    truth[when, which] = True
    return BoxData(inputs, labels, np.broadcast_to(truth, inputs.shape))
