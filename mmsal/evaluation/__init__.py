"""What a config's evaluators may name besides MMAction2's own; registered with MMAction2."""

from mmsal.evaluation.gaze_metric import GazeMetric

__all__ = ['GazeMetric']
