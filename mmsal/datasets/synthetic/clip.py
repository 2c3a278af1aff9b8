"""One clip: the passes of a person through the picture, drawn frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .gait import ACTIONS, EVIDENCE, Gait, draw_gait, joints
from .people import Person, draw_person, stream
from .render import draw_figure
from .scene import FPS, HEIGHT, PIXELS_PER_METRE, SCENARIOS, WIDTH, Scene, add_shadow, draw_scene

CHANGING_SCALE_SCENARIO = 2
REACH = 0.45  # statures that arms and legs may stand out from the hips while the person enters
PARTS = ('head', 'torso', 'legs')


@dataclass(frozen=True)
class ClipName:
    """What identifies a clip: ``personNN_ACTION_dS``."""

    person: int
    action: str
    scenario: int

    def __str__(self) -> str:
        return f'person{self.person:02d}_{self.action}_d{self.scenario}'

    @property
    def video(self) -> str:
        """File name of the video, as KTH has it."""
        return f'{self}_uncomp.avi'


@dataclass(frozen=True)
class Motion:
    """Where the person is in every frame of a clip; T frames.

    Attributes:
        joints: ``[T, 2]`` float64 per joint, pixels, x right and y down from the top left corner.
        hip_x, ground_y, stature: ``[T]`` float64, pixels.
        direction: ``[T]`` float64, 1 to the right, -1 to the left.
        passing: ``[T]`` int64, number of the pass from 0, or -1 in the empty frames between two.
    """

    joints: dict[str, np.ndarray]
    hip_x: np.ndarray
    ground_y: np.ndarray
    stature: np.ndarray
    direction: np.ndarray
    passing: np.ndarray

    def parts(self) -> np.ndarray:
        """Middle of each of ``PARTS`` in every frame: ``[T, 3, 2]`` float64, pixels (x, y)."""
        at = self.joints
        return np.stack(
            [
                at['head'],
                (at['hip'] + at['shoulder']) / 2,
                (at['near_knee'] + at['far_knee']) / 2,
            ],
            axis=1,
        )


@dataclass(frozen=True)
class Clip:
    """A drawn clip.

    Attributes:
        frames: ``[T, H, W]`` uint8 grey levels.
        body: ``[T, H, W]`` bool, pixels in which the person is visible.
        legs: ``[T, H, W]`` bool, pixels in which a leg is visible; part of ``body``.
    """

    frames: np.ndarray
    body: np.ndarray
    legs: np.ndarray


@dataclass(frozen=True)
class Plan:
    """Everything that is decided about a clip before it is drawn."""

    name: ClipName
    person: Person
    scene: Scene
    gait: Gait
    motion: Motion
    seed: int
    evidence: str


def plan_clip(name: ClipName, passes: int = 4, seed: int = 0, evidence: str = 'full') -> Plan:
    """Decide who moves where, when and how.

    Args:
        name: Person, action and scenario.
        passes: How often the person crosses the picture.
        seed: Seed of the whole set.
        evidence: ``'full'`` or ``'legs'``, see :func:`~.gait.draw_gait`.

    Returns:
        The plan; a function of the arguments alone.

    Raises:
        ValueError: An argument is out of its range.
    """
    check_clip(name, passes, seed, evidence)
    person = draw_person(seed, name.person, name.scenario)
    scene = draw_scene(seed, name.person, name.scenario)
    gait = draw_gait(seed, name.person, person, name.action, name.scenario, evidence)
    # With evidence in the legs alone, pauses, distances and phases must not know the action.
    keys = () if evidence == 'legs' else (ACTIONS.index(name.action),)
    rng = stream(seed, 'passes', name.person, name.scenario, *keys)
    motion = _cross(rng, person, scene, gait, passes, name.scenario)
    return Plan(name, person, scene, gait, motion, seed, evidence)


def draw_clip(plan: Plan, noise: bool = True) -> Clip:
    """Draw a planned clip.

    Args:
        plan: From :func:`plan_clip`.
        noise: False leaves the camera's noise away.

    Returns:
        Frames and masks.
    """
    motion, scene = plan.motion, plan.scene
    rng = stream(
        plan.seed, 'noise', plan.name.person, ACTIONS.index(plan.name.action), plan.name.scenario
    )
    shape = (len(motion.passing), HEIGHT, WIDTH)
    clip = Clip(np.empty(shape, np.uint8), np.zeros(shape, bool), np.zeros(shape, bool))
    for t in range(len(motion.passing)):
        picture = scene.background
        if motion.passing[t] >= 0:
            if scene.shadow:
                picture = add_shadow(
                    picture, motion.hip_x[t], motion.ground_y[t], motion.stature[t], scene.shadow
                )
            pose = {joint: at[t] for joint, at in motion.joints.items()}
            drawn = draw_figure(plan.person, pose, motion.stature[t], motion.direction[t])
            picture = picture * (1 - drawn.coverage) + drawn.colour
            clip.body[t], clip.legs[t] = drawn.body, drawn.legs
        if noise:
            grain = rng.standard_normal(picture.shape, dtype=np.float32)
            picture = picture + scene.noise_sd * grain
        clip.frames[t] = np.clip(np.rint(picture), 0, 255)
    return clip


def _cross(
    rng: np.random.Generator, person: Person, scene: Scene, gait: Gait, passes: int, scenario: int
) -> Motion:
    """Let the person cross the picture to and fro, with pauses before, between and after."""
    usual = person.stature_m * PIXELS_PER_METRE
    to_the_right = bool(rng.integers(2))
    tracks = [_pause(rng)]
    for number in range(passes):
        near = rng.uniform(0.70, 1.05, size=2) if scenario == CHANGING_SCALE_SCENARIO else (1, 1)
        x, stature = _track(gait.speed_m_s / person.stature_m / FPS, usual, near)
        phase = rng.random() + gait.stride_hz / FPS * np.arange(len(x))
        x = x if to_the_right else WIDTH - x
        direction = np.full(len(x), 1.0 if to_the_right else -1.0)
        tracks += [(x, stature, phase, direction, np.full(len(x), number)), _pause(rng)]
        to_the_right = not to_the_right
    x, stature, phase, direction, passing = (
        np.concatenate(column) for column in zip(*tracks, strict=True)
    )
    # Further away means smaller and higher in the picture.
    ground = scene.ground_y - 0.5 * (usual - stature)
    scale = np.stack([direction * stature, -stature], axis=-1)
    origin = np.stack([x, ground], axis=-1)
    placed = {name: origin + scale * at for name, at in joints(gait, phase).items()}
    return Motion(placed, x, ground, stature, direction, passing.astype(np.int64))


def _track(step: float, usual: float, near: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Hip positions of one pass to the right and the stature in every frame, both in pixels.

    Args:
        step: Statures per frame.
        usual: Stature in pixels at the usual distance.
        near: Relative size at the begin and at the end of the pass.
    """
    start, end = -REACH * usual * near[0], WIDTH + REACH * usual * near[1]
    # The middle of the two sizes gives the number of frames; the steps then follow the size.
    count = int(np.ceil((end - start) / (step * usual * (near[0] + near[1]) / 2)))
    stature = usual * np.linspace(near[0], near[1], count)
    x = start + np.cumsum(step * stature) - step * stature[0]
    return x, stature


def _pause(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """A few frames without anybody: x far outside, stature 1 (nothing is drawn), pass -1."""
    count = int(rng.integers(4, 13))
    return (*np.tile([[-1e3], [1.0], [0.0], [1.0], [-1.0]], count),)


def check_clip(name: ClipName, passes: int, seed: int, evidence: str) -> None:
    """Raise ValueError, saying what is expected, if :func:`plan_clip` would not take these."""
    if name.person < 1 or name.person > 99:
        raise ValueError(f'expected persons from 1 to 99, got {name.person}')
    if name.action not in ACTIONS:
        raise ValueError(f'expected an action of {ACTIONS}, got {name.action!r}')
    if name.scenario not in SCENARIOS:
        raise ValueError(f'expected scenarios of {SCENARIOS}, got {name.scenario}')
    if passes < 1:
        raise ValueError(f'expected at least 1 pass, got {passes}')
    if seed < 0:
        raise ValueError(f'expected a seed of 0 or more, got {seed}')
    if evidence not in EVIDENCE:
        raise ValueError(f'expected evidence of {EVIDENCE}, got {evidence!r}')
