"""Class scores of preprocessed inputs, as a plain function that gradients can pass."""

import torch
from torch import Tensor, nn

from mmsal.attribution.cpu_kernels import run_quickly
from mmsal.attribution.explainer import frozen


class Scorer:
    """Class scores of preprocessed inputs of any number of samples.

    Args:
        model (nn.Module): A recognizer of MMAction2, in evaluation mode.
        views (int): V per sample, clips x crops. Defaults to 1.
    """

    def __init__(self, model: nn.Module, views: int = 1) -> None:
        self.model = model
        self.views = views

    def of_views(self, inputs: Tensor) -> Tensor:
        """Scores of the views apart, [N, V', K], before softmax."""
        answers = [_Answer() for _ in inputs]
        # Around every pass, not around the call: a head that draws at random must draw the same
        # each time, or two passes would differ by more than their inputs.
        with frozen(self.model):
            # As test_step goes on after preprocessing; not every recognizer can be called alike.
            data = dict(inputs=inputs, data_samples=answers)
            answers = run_quickly(self.model, lambda: self.model._run_forward(data, mode='predict'))
        return torch.stack([answer.pred_score for answer in answers])

    def __call__(self, inputs: Tensor) -> Tensor:
        """[N, K], averaged over views."""
        return self.of_views(inputs).mean(dim=1)


class _Answer:
    """Takes a head's answer, as ActionDataSample does; that would be an import of MMAction2."""

    def set_pred_score(self, score: Tensor) -> '_Answer':
        self.pred_score = score
        return self

    def set_pred_label(self, label: Tensor) -> '_Answer':
        self.pred_label = label
        return self
