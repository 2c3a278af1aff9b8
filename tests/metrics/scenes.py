"""SYNTHETIC maps and fixations for the tests of metrics."""

import numpy as np

SIZE = (17, 23)


def random_scene(seed: int, size=SIZE, fixations: int = 12, levels: int | None = None) -> dict:
    """Saliency (with ties where `levels` are few), points with repeats, density, baseline, others.

    The seed tells one scene from another; saliency leans to the fixations, so that no score is at
    chance.
    """
    random = np.random.default_rng(seed)
    density, baseline = random.gamma(0.5, size=(2, *size))
    saliency = 0.5 * density + random.gamma(0.5, size=size)
    if levels is not None:
        saliency = np.floor(saliency / saliency.max() * levels)
    places = random.choice(density.size, fixations, p=(density / density.sum()).ravel())
    points = np.stack(np.unravel_index(places, size)[::-1], axis=-1) + random.random((fixations, 2))
    others = [random.random((count, 2)) * size[::-1] for count in random.integers(0, 6, 14)]
    return dict(
        saliency=saliency, fixations=points, density=density, baseline=baseline, other=others
    )


def as_map(points: np.ndarray, size=SIZE) -> np.ndarray:
    """True where there is a point."""
    hit = np.zeros(size, bool)
    x, y = np.asarray(points, int).reshape(-1, 2).T
    hit[y, x] = True
    return hit
