"""Who walks: build, clothes and habits of each synthetic person, drawn from the seed.

Every random draw of this package goes through :func:`stream`, which seeds a generator from the
set's seed, a purpose and the keys the draw may depend on. What is not among the keys cannot
influence the draw, so a clip never depends on which other clips are made.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

DARK_CLOTHES = (22.0, 72.0)
LIGHT_CLOTHES = (198.0, 232.0)
LIGHT_SHARE = 0.25
NEW_CLOTHES_SCENARIO = 3


def stream(seed: int, purpose: str, *keys: int) -> np.random.Generator:
    """Return the random generator for one purpose.

    Args:
        seed: Seed of the whole set, not negative.
        purpose: What the numbers are for; two purposes never share numbers.
        *keys: Whole numbers, such as person and scenario, that the draw may depend on.

    Returns:
        A generator that is the same for the same arguments on every machine.
    """
    return np.random.default_rng([seed, zlib.crc32(purpose.encode()), *keys])


@dataclass(frozen=True)
class Person:
    """One synthetic person.

    Attributes:
        stature_m: Height in metres.
        girth: Thickness of trunk and limbs relative to the average person.
        tempo: Factor on the stride frequency.
        vigour: Factor on the swing of hips and arms.
        top, trousers, skin, hair, shoes: Grey levels, 0 to 255.
    """

    stature_m: float
    girth: float
    tempo: float
    vigour: float
    top: float
    trousers: float
    skin: float
    hair: float
    shoes: float


def draw_person(seed: int, person: int, scenario: int) -> Person:
    """Draw a person; build and habits depend on the person alone, clothes also on the scenario.

    Args:
        seed: Seed of the whole set.
        person: Number of the person, from 1.
        scenario: 1 to 4; the third shows other clothes, as in KTH.

    Returns:
        The person.
    """
    build = stream(seed, 'build', person)
    clothes = stream(seed, 'clothes', person, int(scenario == NEW_CLOTHES_SCENARIO))
    return Person(
        stature_m=build.uniform(1.65, 1.85),
        girth=build.uniform(0.88, 1.18),
        tempo=build.uniform(0.93, 1.07),
        vigour=build.uniform(0.92, 1.08),
        skin=build.uniform(165, 200),
        hair=build.uniform(20, 70),
        top=_cloth(clothes),
        trousers=_cloth(clothes),
        shoes=clothes.uniform(18, 60),
    )


def _cloth(rng: np.random.Generator) -> float:
    # Outdoor ground lies between the two ranges, so that the person is always visible.
    return rng.uniform(*(LIGHT_CLOTHES if rng.random() < LIGHT_SHARE else DARK_CLOTHES))
