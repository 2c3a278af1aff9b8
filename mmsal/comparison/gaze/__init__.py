"""Saliency of models held against human gaze."""

from mmsal.comparison.gaze.arguments import parse_models, parse_sigma
from mmsal.comparison.gaze.compare import GazeStudy, Statistics, compare
from mmsal.comparison.gaze.inputs import find_inputs
from mmsal.comparison.gaze.matching import MismatchError
from mmsal.comparison.gaze.options import GazeComparison

__all__ = [
    'GazeComparison',
    'GazeStudy',
    'MismatchError',
    'Statistics',
    'compare',
    'find_inputs',
    'parse_models',
    'parse_sigma',
]
