"""Simulated observers: fixations that follow the person, for trying out comparisons with gaze.

A simple model, not a theory of vision. An observer fixates, makes a saccade of 30 to 40 ms, and
fixates again until the clip ends.

- Durations are lognormal. Their mean is 300 ms on average and differs between observers.
- While the person is seen, a fixation goes to the middle of the head, the trunk or the legs
  (between the knees), drawn with the weights of ``PART_WEIGHTS`` times the observer's own; runners'
  legs draw more. A part that is outside the picture cannot be chosen; if all are, the eye
  waits at the edge beside the nearest.
- The eye pursues the moving part. A fixation has one position: that of the part at the fixation's
  middle, plus Gaussian noise of 0.5 degrees (``POSITION_SD_DEG``) on average in each direction.
- Some fixations (8 % on average) land anywhere in the picture, evenly.
- While the picture is empty, half of the fixations wait at the edge where the person will enter
  next, half (and all after the last pass) rest at the centre.

Positions beyond the picture's edge are mirrored at it. Degrees become pixels with
``PIXELS_PER_DEGREE``: the picture of 160 x 120 pixels is taken to be shown 16 x 12 degrees large.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmsal.gaze.table import FIXATION_COLUMNS

from .clip import PARTS, Plan
from .gait import ACTIONS
from .people import stream
from .scene import FPS, HEIGHT, WIDTH

PIXELS_PER_DEGREE = 10.0
POSITION_SD_DEG = 0.5
DURATION_S, DURATION_LOG_SD = 0.30, 0.4
SACCADE_S = (0.030, 0.040)
ELSEWHERE_SHARE = 0.08
SHORTEST_S = 0.06  # what the end of the clip leaves of a fixation is dropped below this
PART_WEIGHTS = {'walking': (0.36, 0.36, 0.28), 'running': (0.26, 0.29, 0.45)}
EDGE_MARGIN = 6.0  # pixels from the edge at which observers wait for the person


@dataclass(frozen=True)
class Observer:
    """One observer's habits: mean duration (s), noise (px), share elsewhere, weight per part."""

    duration_s: float
    noise_px: float
    elsewhere: float
    weights: np.ndarray


def draw_observer(seed: int, number: int) -> Observer:
    """Draw the habits of an observer, the same in all clips.

    Args:
        seed: Seed of the whole set.
        number: Number of the observer, from 1.

    Returns:
        The observer.
    """
    rng = stream(seed, 'observer', number)
    return Observer(
        duration_s=DURATION_S * rng.uniform(0.85, 1.15),
        noise_px=POSITION_SD_DEG * PIXELS_PER_DEGREE * rng.uniform(0.8, 1.2),
        elsewhere=ELSEWHERE_SHARE * rng.uniform(0.5, 1.5),
        weights=rng.uniform(0.7, 1.3, size=len(PARTS)),
    )


def simulate_fixations(plan: Plan, visible: np.ndarray, observers: int = 8) -> pd.DataFrame:
    """Let observers watch a clip.

    Args:
        plan: The clip's plan; its seed is used.
        visible: ``[T]`` bool, frames in which any of the person is seen.
        observers: Number of observers.

    Returns:
        Fixation table with the columns ``FIXATION_COLUMNS``, by observer and time. Seconds are
        rounded to 0.1 ms, pixels to 0.01; pixels count from the picture's top left corner.
    """
    rows = []
    for number in range(1, observers + 1):
        rows += [
            (plan.name.video, f'observer{number:02d}', *fixation)
            for fixation in _watch(plan, visible, number)
        ]
    table = pd.DataFrame(rows, columns=list(FIXATION_COLUMNS))
    return table.round({'start_s': 4, 'end_s': 4, 'x_px': 2, 'y_px': 2})


def _watch(plan: Plan, visible: np.ndarray, number: int) -> list[tuple[float, ...]]:
    """One observer's fixations: start and end in seconds, x and y in pixels."""
    name = plan.name
    rng = stream(plan.seed, 'gaze', name.person, ACTIONS.index(name.action), name.scenario, number)
    observer = draw_observer(plan.seed, number)
    weights = observer.weights * PART_WEIGHTS[name.action]
    parts = plan.motion.parts()
    waiting = _waiting_places(plan)
    log_mean = np.log(observer.duration_s) - DURATION_LOG_SD**2 / 2
    clip_end = len(visible) / FPS
    fixations, start = [], rng.uniform(0, 0.1)
    while clip_end - start > SHORTEST_S:
        end = min(start + rng.lognormal(log_mean, DURATION_LOG_SD), clip_end)
        frame = int((start + end) / 2 * FPS)
        if rng.random() < observer.elsewhere:
            place = rng.uniform((0, 0), (WIDTH, HEIGHT))
        else:
            candidates = parts[frame] if visible[frame] else waiting[frame]
            chances = weights if visible[frame] else np.ones(len(candidates))
            place = _choose(rng, candidates, chances) + rng.normal(0, observer.noise_px, size=2)
        x, y = _fold(place)
        fixations.append((start, end, x, y))
        start = end + rng.uniform(*SACCADE_S)
    return fixations


def _choose(rng: np.random.Generator, places: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Draw a place [2] of those [K, 2] in the picture; if none is, the edge by the nearest."""
    beyond = np.maximum(-places[:, 0], places[:, 0] - WIDTH)
    chances = np.where(beyond <= 0, weights, 0.0)
    if not chances.any():
        x, y = places[np.argmin(beyond)]
        return np.array([np.clip(x, 0, WIDTH), y])
    return places[rng.choice(len(places), p=chances / chances.sum())]


def _fold(place: np.ndarray) -> np.ndarray:
    """Mirror a position at the picture's edges; cutting it off would pile fixations up there."""
    size = np.array((WIDTH, HEIGHT), dtype=float)
    folded = size - np.abs(size - np.abs(place))
    return np.clip(folded, 0, size - 0.01)  # so that rounding cannot reach the edge


def _waiting_places(plan: Plan) -> np.ndarray:
    """Where to look while nobody is there: centre and next entrance, [T, 2, 2] pixels (x, y)."""
    motion = plan.motion
    count = len(motion.passing)
    centre = (WIDTH / 2, HEIGHT / 2)
    places = np.full((count, 2, 2), centre)
    for number in range(motion.passing.max() + 1):
        frames = np.flatnonzero(motion.passing == number)
        to_the_right = motion.direction[frames[0]] > 0
        entrance = EDGE_MARGIN if to_the_right else WIDTH - EDGE_MARGIN
        height = motion.ground_y[frames[0]] - motion.stature[frames[0]] / 2
        # Up to the pass itself, and since the middle of the one before.
        begin = np.flatnonzero(motion.passing == number - 1)
        begin = begin[len(begin) // 2] if number else 0
        places[begin : frames[len(frames) // 2], 1] = (entrance, height)
    return places
