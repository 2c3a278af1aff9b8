"""What a recognizer says about a video."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Prediction:
    """Class probabilities of a video.

    Attributes:
        probabilities: float32 [K], averaged over clips, crops and ranges as the config's head
            averages them in testing.
        class_names: K names.
    """

    probabilities: np.ndarray
    class_names: tuple[str, ...]

    @property
    def top(self) -> int:
        """The predicted class, 0-based."""
        return int(self.probabilities.argmax())

    @property
    def label(self) -> str:
        """Name of the predicted class."""
        return self.class_names[self.top]

    @property
    def score(self) -> float:
        """Probability of the predicted class, 0 to 1."""
        return float(self.probabilities[self.top])

    def ranked(self, count: int | None = None) -> list[dict]:
        """Classes by falling probability: ``class`` (0-based), ``label``, ``score``."""
        order = np.argsort(-self.probabilities, kind='stable')[:count]
        return [
            {
                'class': int(index),
                'label': self.class_names[index],
                'score': round(float(self.probabilities[index]), 6),
            }
            for index in order
        ]


def average_views(model: nn.Module, view_scores: Sequence[Tensor]) -> Prediction:
    """Average scores as the config's head does: probabilities, or scores before softmax.

    Args:
        model (nn.Module): With ``class_names``.
        view_scores (Sequence[Tensor]): [V, K] per clip range, before softmax.
    """
    if model.cls_head.average_clips == 'prob':
        per_range = [scores.softmax(dim=-1).mean(dim=0) for scores in view_scores]
    else:
        per_range = [scores.mean(dim=0).softmax(dim=-1) for scores in view_scores]
    mean = torch.stack(per_range).mean(dim=0).float().cpu().numpy()
    return Prediction(mean, tuple(model.class_names))
