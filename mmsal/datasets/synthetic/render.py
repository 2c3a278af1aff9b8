"""Drawing: one pose becomes grey levels, how much of each pixel the person covers, and masks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import cv2
import numpy as np

from .people import Person
from .scene import HEIGHT, WIDTH

# Everything is drawn this many times larger and averaged down. The masks hold every pixel of which
# any part is covered, so anti-aliased edges lie inside them.
SUPERSAMPLING = 4
SHIFT = 4  # fractional bits of cv2's coordinates
FAR_SHADE = 0.86  # the far arm and leg lie in the body's shade

# Half thicknesses in statures.
RADII = {
    'hip': 0.056, 'knee': 0.037, 'ankle': 0.024, 'toe': 0.013,
    'waist': 0.060, 'chest': 0.074, 'neck': 0.030,
    'shoulder': 0.034, 'elbow': 0.027, 'wrist': 0.019, 'hand': 0.024,
}  # fmt: skip
HEAD_AXES = (0.056, 0.070)
_TURN = 2 * np.pi * np.arange(24) / 24
CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=-1)


class Drawing(NamedTuple):
    """A person on nothing.

    Attributes:
        colour: ``[H, W]`` float32 grey levels times coverage.
        coverage: ``[H, W]`` float32, share of the pixel that the person covers.
        body: ``[H, W]`` bool, pixels in which any of the person is visible.
        legs: ``[H, W]`` bool, pixels in which any of a leg (hip to toe) is visible.
    """

    colour: np.ndarray
    coverage: np.ndarray
    body: np.ndarray
    legs: np.ndarray


class _Canvas:
    """Large grey picture with a part label per pixel; what is drawn later covers what was drawn."""

    def __init__(self, width: int, height: int) -> None:
        size = (height * SUPERSAMPLING, width * SUPERSAMPLING)
        self.grey = np.zeros(size, np.uint8)
        self.person = np.zeros(size, np.uint8)
        self.leg = np.zeros(size, np.uint8)

    def polygon(self, points: np.ndarray, grey: float, leg: bool = False) -> None:
        # To cv2 a whole number is the middle of a pixel, here it is the corner.
        corners = np.rint((points * SUPERSAMPLING - 0.5) * 2**SHIFT).astype(np.int32)
        level = round(min(max(grey, 0), 255))
        for layer, value in ((self.grey, level), (self.person, 255), (self.leg, 255 * leg)):
            cv2.fillConvexPoly(layer, corners, value, lineType=cv2.LINE_8, shift=SHIFT)


def draw_figure(
    person: Person, joints: Mapping[str, np.ndarray], stature: float, direction: float
) -> Drawing:
    """Draw one person in one pose.

    Args:
        person: Gives thickness and grey levels.
        joints: ``[2]`` float per joint of :func:`~.gait.joints`, here in pixels of the picture
            (x right, y down, origin at the top left corner of the top left pixel).
        stature: Height of the person in pixels.
        direction: 1 if the person faces right, -1 if left.

    Returns:
        The drawing; what lies outside the picture is cut off.
    """
    left, right = _columns(joints, 0.12 * stature)
    if left >= right:
        nothing = np.zeros((HEIGHT, WIDTH), np.float32)
        return Drawing(nothing, nothing, nothing > 0, nothing > 0)
    canvas = _Canvas(right - left, HEIGHT)
    at = {name: point - (left, 0) for name, point in joints.items()}
    _draw_parts(canvas, person, at, stature, direction)

    def shrink(layer: np.ndarray) -> np.ndarray:
        # Averaged in float: a part that covers a sixteenth of a pixel must not be rounded away.
        small = cv2.resize(
            layer.astype(np.float32), (right - left, HEIGHT), interpolation=cv2.INTER_AREA
        )
        return cv2.copyMakeBorder(small, 0, 0, left, WIDTH - right, cv2.BORDER_CONSTANT)

    coverage = shrink(canvas.person) / 255
    return Drawing(shrink(canvas.grey), coverage, coverage > 0, shrink(canvas.leg) > 0)


def _columns(joints: Mapping[str, np.ndarray], margin: float) -> tuple[int, int]:
    """Columns of the picture that the person can touch, first and last + 1."""
    x = [at[0] for at in joints.values()]
    return max(0, int(min(x) - margin)), min(WIDTH, int(max(x) + margin) + 1)


def _draw_parts(
    canvas: _Canvas,
    person: Person,
    at: Mapping[str, np.ndarray],
    stature: float,
    direction: float,
) -> None:
    """Draw from the far side to the near one."""
    radius = {name: share * stature * person.girth for name, share in RADII.items()}
    _arm(canvas, person, at, radius, 'far', FAR_SHADE)
    _leg(canvas, person, at, radius, 'far', FAR_SHADE)
    _leg(canvas, person, at, radius, 'near', 1.0)
    chest = at['shoulder'] + 0.22 * (at['hip'] - at['shoulder'])
    _limb(canvas, at['hip'], chest, radius['waist'], radius['chest'], person.top)
    _limb(canvas, chest, at['shoulder'], radius['chest'], 0.75 * radius['chest'], person.top)
    _limb(canvas, at['shoulder'], at['head'], radius['neck'], radius['neck'], person.skin)
    _head(canvas, person, at['head'], stature, direction)
    # A sleeve on a jacket of the same cloth would be invisible without a little shading.
    _arm(canvas, person, at, radius, 'near', 1.12)


def _head(
    canvas: _Canvas, person: Person, middle: np.ndarray, stature: float, direction: float
) -> None:
    outline = CIRCLE * HEAD_AXES * stature
    canvas.polygon(middle + outline, person.skin)
    # Hair covers the top and the back.
    hair = outline[outline @ np.array([0.75 * direction, 1.0]) < -0.005 * stature]
    canvas.polygon(middle + cv2.convexHull(hair.astype(np.float32))[:, 0], person.hair)


def _leg(
    canvas: _Canvas,
    person: Person,
    at: Mapping[str, np.ndarray],
    radius: Mapping[str, float],
    side: str,
    shade: float,
) -> None:
    grey = person.trousers * shade
    knee, ankle, heel, toe = (at[f'{side}_{name}'] for name in ('knee', 'ankle', 'heel', 'toe'))
    shoe = 1.4 * radius['toe']
    sole = np.stack([heel, toe]) + 0.4 * (ankle - (heel + 0.3 * (toe - heel)))
    _limb(canvas, sole[0], sole[1], shoe * 1.3, shoe, person.shoes * shade, leg=True)
    _limb(canvas, ankle, sole[0], radius['ankle'], shoe, person.shoes * shade, leg=True)
    _limb(canvas, knee, ankle, radius['knee'], radius['ankle'], grey, leg=True)
    _limb(canvas, at['hip'], knee, radius['hip'], radius['knee'], grey, leg=True)


def _arm(
    canvas: _Canvas,
    person: Person,
    at: Mapping[str, np.ndarray],
    radius: Mapping[str, float],
    side: str,
    shade: float,
) -> None:
    grey = person.top * shade
    elbow, hand = at[f'{side}_elbow'], at[f'{side}_hand']
    _limb(canvas, at['shoulder'], elbow, radius['shoulder'], radius['elbow'], grey)
    _limb(canvas, elbow, hand, radius['elbow'], radius['wrist'], grey)
    _limb(canvas, hand, hand, radius['hand'], radius['hand'], person.skin * min(shade, 1.0))


def _limb(
    canvas: _Canvas,
    start: np.ndarray,
    end: np.ndarray,
    start_radius: float,
    end_radius: float,
    grey: float,
    leg: bool = False,
) -> None:
    """Draw a rounded, tapering limb: the convex hull of two discs."""
    discs = np.concatenate([start + start_radius * CIRCLE, end + end_radius * CIRCLE])
    canvas.polygon(cv2.convexHull(discs.astype(np.float32))[:, 0], grey, leg)
