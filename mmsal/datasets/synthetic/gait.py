"""How a person walks or runs: joint angles over the gait cycle, and the joints' positions.

Angles lie in the plane of the picture (side view). One cycle is one stride, that is two steps;
phase 0 is the moment when the near foot touches the ground, and the far leg is half a cycle behind.
Lengths are in statures (1 = the person's height), so a pose is scaled to pixels by one factor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .people import Person, stream

ACTIONS = ('walking', 'running')
EVIDENCE = ('full', 'legs')

# Segment lengths as shares of the stature: the usual anthropometric means.
THIGH, SHANK, ANKLE_HEIGHT, FOOT, HEEL = 0.245, 0.246, 0.039, 0.152, 0.040
TRUNK, UPPER_ARM, FOREARM = 0.288, 0.180, 0.165
NECK_AND_HEAD = 0.115  # shoulder to the middle of the head

# Joint angles in degrees at given phases, as gait analyses of adults show them. Thigh: from the
# vertical, forward is positive. Knee: flexion. Ankle: from the right angle, toes up is positive.
LEG_CURVES = {
    'walking': {
        'thigh': ((0.0, 25), (0.30, 0), (0.55, -22), (0.62, -16), (0.85, 25)),
        'knee': ((0.0, 4), (0.13, 15), (0.40, 4), (0.60, 36), (0.72, 58), (0.96, 2)),
        'ankle': ((0.0, 2), (0.08, -5), (0.46, 9), (0.62, -18), (0.80, 0)),
    },
    'running': {
        'thigh': ((0.0, 34), (0.20, 4), (0.40, -32), (0.50, -26), (0.88, 48)),
        'knee': ((0.0, 16), (0.16, 42), (0.38, 16), (0.68, 104), (0.95, 14)),
        'ankle': ((0.0, 5), (0.18, 18), (0.40, -28), (0.65, -8), (0.90, 2)),
    },
}
FLIGHT_START = 0.38  # of the cycle: a runner's toe leaves the ground; the other foot lands at 0.5


@dataclass(frozen=True)
class Gait:
    """One person's way of moving in one clip.

    Attributes:
        action: Whose leg angles are used, a key of ``LEG_CURVES``.
        speed_m_s: Speed across the picture, metres per second.
        stride_hz: Strides (two steps) per second.
        leg_swing: Factor on the thigh's angle.
        lean_deg: Forward lean of the trunk.
        bob: Statures. With ``hip_height`` None, the height of the flight between two steps;
            otherwise half the up-and-down of the hips.
        hip_height: None if the feet decide it (the lower foot stands on the ground), or the mean
            height of the hips in statures, whatever the legs do.
        arm_swing_deg: Half the range of the upper arm.
        elbow_deg: Mean flexion of the elbow.
    """

    action: str
    speed_m_s: float
    stride_hz: float
    leg_swing: float
    lean_deg: float
    bob: float
    hip_height: float | None
    arm_swing_deg: float
    elbow_deg: float


TYPICAL = {
    'walking': Gait('walking', 1.3, 0.9, 1.0, 2.0, 0.0, None, 22.0, 20.0),
    'running': Gait('running', 3.0, 1.4, 1.0, 9.0, 0.03, None, 34.0, 88.0),
}


def draw_gait(
    seed: int, number: int, person: Person, action: str, scenario: int, evidence: str
) -> Gait:
    """Draw the gait of one clip.

    With ``evidence='legs'`` everything but the legs is drawn without knowledge of the action: a
    person's walking and running clips of one scenario share speed, stride frequency, lean, height
    and bob of the hips, and arms, so nothing but the legs can tell them apart.

    Args:
        seed: Seed of the whole set.
        number: Number of the person.
        person: That person.
        action: ``'walking'`` or ``'running'``.
        scenario: 1 to 4.
        evidence: ``'full'`` or ``'legs'``.

    Returns:
        The gait.
    """
    if evidence == 'legs':
        rng = stream(seed, 'common gait', number, scenario)
        return Gait(
            action=action,
            speed_m_s=rng.uniform(1.7, 2.3),
            stride_hz=rng.uniform(1.0, 1.25),
            leg_swing=person.vigour,
            lean_deg=rng.uniform(2, 8),
            bob=rng.uniform(0.008, 0.016),
            hip_height=0.505,
            arm_swing_deg=rng.uniform(20, 34),
            elbow_deg=rng.uniform(30, 80),
        )
    rng = stream(seed, 'gait', number, ACTIONS.index(action), scenario)
    typical = TYPICAL[action]
    tempo = person.tempo * rng.uniform(0.97, 1.03)
    return replace(
        typical,
        # Longer and faster strides carry a person further; what is left is habit.
        speed_m_s=typical.speed_m_s * tempo * person.vigour * rng.uniform(0.95, 1.05),
        stride_hz=typical.stride_hz * tempo,
        leg_swing=person.vigour,
        lean_deg=typical.lean_deg + rng.uniform(-2, 2),
        bob=typical.bob * rng.uniform(0.8, 1.2),
        arm_swing_deg=typical.arm_swing_deg * person.vigour,
        elbow_deg=typical.elbow_deg + rng.uniform(-10, 10),
    )


def joints(gait: Gait, phase: np.ndarray) -> dict[str, np.ndarray]:
    """Place a person's joints at given phases of the gait cycle.

    Args:
        gait: The way of moving.
        phase: ``[T]`` float, in cycles; only the fraction counts.

    Returns:
        ``[T, 2]`` float64 per joint, in statures: x forward from the hips, y up from the ground.
        Keys: ``hip, shoulder, head`` and, after ``near_`` and ``far_``, ``knee, ankle, heel, toe,
        elbow, hand``.
    """
    legs = {'near': _leg(gait, phase), 'far': _leg(gait, phase + 0.5)}
    soles = [leg[part][:, 1] for leg in legs.values() for part in ('heel', 'toe')]
    hip_height = _hip_height(gait, phase, lowest=np.min(soles, axis=0))

    hip = np.stack([np.zeros_like(phase), hip_height], axis=-1)
    lean = np.full_like(phase, np.deg2rad(gait.lean_deg))
    up = -_down(-lean)
    placed = {
        'hip': hip,
        'shoulder': hip + TRUNK * up,
        # The head leans less than the trunk: people look ahead.
        'head': hip + TRUNK * up - NECK_AND_HEAD * _down(-0.5 * lean - np.deg2rad(4)),
    }
    for side, leg in legs.items():
        placed |= {f'{side}_{name}': hip + offset for name, offset in leg.items()}
        # An arm swings with the opposite leg.
        arm = _arm(gait, phase + (0.5 if side == 'near' else 0.0))
        placed |= {f'{side}_{name}': placed['shoulder'] + offset for name, offset in arm.items()}
    return placed


def _down(angle: np.ndarray) -> np.ndarray:
    """Unit vectors that point down at angle 0 and forward at 90 degrees; [T] -> [T, 2]."""
    return np.stack([np.sin(angle), -np.cos(angle)], axis=-1)


def _leg(gait: Gait, phase: np.ndarray) -> dict[str, np.ndarray]:
    """Offsets of the leg's joints from the hip."""
    curves = LEG_CURVES[gait.action]
    thigh = gait.leg_swing * np.deg2rad(_curve(curves['thigh'], phase))
    shank = thigh - np.deg2rad(_curve(curves['knee'], phase))
    foot = shank + np.deg2rad(_curve(curves['ankle'], phase))
    knee = THIGH * _down(thigh)
    ankle = knee + SHANK * _down(shank)
    forward = _down(foot + np.pi / 2)
    heel = ankle + ANKLE_HEIGHT * _down(foot) - HEEL * forward
    return {'knee': knee, 'ankle': ankle, 'heel': heel, 'toe': heel + FOOT * forward}


def _arm(gait: Gait, phase: np.ndarray) -> dict[str, np.ndarray]:
    """Offsets of the arm's joints from the shoulder."""
    swing = np.cos(2 * np.pi * phase)
    upper = np.deg2rad(gait.arm_swing_deg * swing - 0.15 * gait.elbow_deg)
    fore = upper + np.deg2rad(gait.elbow_deg + 12 * swing)
    elbow = UPPER_ARM * _down(upper)
    return {'elbow': elbow, 'hand': elbow + FOREARM * _down(fore)}


def _hip_height(gait: Gait, phase: np.ndarray, lowest: np.ndarray) -> np.ndarray:
    if gait.hip_height is not None:
        return gait.hip_height - gait.bob * np.cos(4 * np.pi * phase)
    in_step = np.mod(phase, 0.5)
    airborne = np.clip((in_step - FLIGHT_START) / (0.5 - FLIGHT_START), 0, 1)
    return -lowest + gait.bob * np.sin(np.pi * airborne)


def _curve(keys: tuple[tuple[float, float], ...], phase: np.ndarray) -> np.ndarray:
    """Interpolate a periodic curve through its key points with flat tangents, so no overshoot."""
    at, value = (np.array(column, dtype=float) for column in zip(*keys, strict=True))
    at, value = np.append(at, at[0] + 1), np.append(value, value[0])
    phase = at[0] + np.mod(phase - at[0], 1.0)
    left = np.clip(np.searchsorted(at, phase, side='right') - 1, 0, len(at) - 2)
    share = (phase - at[left]) / (at[left + 1] - at[left])
    share = share * share * (3 - 2 * share)
    return value[left] + share * (value[left + 1] - value[left])
