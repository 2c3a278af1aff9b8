"""Synthetic clips with known evidence, in the form of KTH: drawn people who walk and run.

They stand in where the real videos are absent, and they can do what real videos cannot: say for
every pixel whether it belongs to the person or to the legs, and (``evidence='legs'``) guarantee
that the legs alone tell walking from running, so that attribution elsewhere is wrong.
"""

from .boxes import BOXES, BoxData, make_boxes
from .clip import Clip, ClipName, Motion, Plan, draw_clip, plan_clip
from .files import Truth, read_truth
from .make import make_clips
from .observers import simulate_fixations

__all__ = [
    'BOXES',
    'BoxData',
    'Clip',
    'ClipName',
    'Motion',
    'Plan',
    'Truth',
    'draw_clip',
    'make_boxes',
    'make_clips',
    'plan_clip',
    'read_truth',
    'simulate_fixations',
]
