"""Where they walk: a static textured background, the ground line, the shadow, camera noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .people import stream

WIDTH, HEIGHT, FPS = 160, 120, 25
SCENARIOS = (1, 2, 3, 4)
INDOORS = 4
PIXELS_PER_METRE = 90 / 1.75  # KTH's scale


@dataclass(frozen=True)
class Scene:
    """One place and camera.

    Attributes:
        background: ``[H, W]`` float32 grey levels.
        ground_y: Row of the feet at the usual distance, in pixels from the top.
        noise_sd: Standard deviation of the sensor noise, grey levels.
        shadow: Share of light that the shadow takes away, 0 for none.
    """

    background: np.ndarray
    ground_y: float
    noise_sd: float
    shadow: float


def draw_scene(seed: int, person: int, scenario: int) -> Scene:
    """Draw the place in which a person is filmed; it is the same for all of the person's actions.

    Args:
        seed: Seed of the whole set.
        person: Number of the person.
        scenario: 1 to 4; 4 is indoors.

    Returns:
        The scene.
    """
    rng = stream(seed, 'scene', person, scenario)
    ground_y = rng.uniform(101, 106)
    indoors = scenario == INDOORS
    return Scene(
        background=_room(rng, ground_y) if indoors else _meadow(rng),
        ground_y=ground_y,
        noise_sd=rng.uniform(1.5, 3.0),
        shadow=rng.uniform(0.25, 0.4) if indoors else 0.0,
    )


def add_shadow(picture: np.ndarray, x: float, y: float, stature: float, depth: float) -> np.ndarray:
    """Darken the ground under a person.

    The shadow is a soft ellipse that knows the place of the hips but not the legs: its shape must
    not tell the action.

    Args:
        picture: ``[H, W]`` float32 grey levels.
        x, y: Middle of the shadow in pixels.
        stature: Height of the person in pixels.
        depth: Share of light taken away in the middle.

    Returns:
        A new picture, ``[H, W]`` float32.
    """
    dx = (np.arange(WIDTH, dtype=np.float32) - x) / (0.30 * stature)
    dy = (np.arange(HEIGHT, dtype=np.float32) - y) / (0.05 * stature)
    light = 1 - depth * np.exp(-(dx[None, :] ** 2) - dy[:, None] ** 2)
    return picture * light.astype(np.float32)


def _grain(rng: np.random.Generator, sigma_x: float, sigma_y: float) -> np.ndarray:
    """Blurred noise of mean 0 and standard deviation 1."""
    noise = rng.standard_normal((HEIGHT, WIDTH)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y)
    return (noise - noise.mean()) / noise.std()


def _meadow(rng: np.random.Generator) -> np.ndarray:
    """Grass and gravel seen from a standing camera: streaks that grow coarser towards the feet."""
    near = np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, None]
    base = rng.uniform(118, 145)
    fine = rng.uniform(3, 6) * _grain(rng, 0.9, 0.5)
    streaks = rng.uniform(2, 5) * _grain(rng, 6, 1.2)
    bands = rng.uniform(2, 6) * _grain(rng, 40, 5)
    slope = rng.uniform(-14, 6) * (near - 0.5)
    return np.clip(base + slope + (0.6 + 0.8 * near) * (fine + streaks) + bands, 0, 255)


def _room(rng: np.random.Generator, ground_y: float) -> np.ndarray:
    """A wall with a skirting board and a few vertical edges, and a floor."""
    rows = np.arange(HEIGHT, dtype=np.float32)[:, None]
    columns = np.arange(WIDTH, dtype=np.float32)[None, :]
    corner = ground_y - rng.uniform(12, 18)
    wall = rng.uniform(125, 150) + rng.uniform(-12, 12) * (columns / WIDTH - 0.5)
    for edge in rng.uniform(0, WIDTH, size=3):
        wall = wall + rng.uniform(-9, 9) * (columns > edge)
    floor = rng.uniform(118, 140) + 0.4 * (rows - corner)
    room = np.where(rows < corner, wall, floor) - 25 * (np.abs(rows - corner) < 1.5)
    room = cv2.GaussianBlur(room.astype(np.float32), (0, 0), 0.7)
    return np.clip(room + 1.5 * _grain(rng, 0.8, 0.8) + 2 * _grain(rng, 12, 12), 0, 255)
