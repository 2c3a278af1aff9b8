"""CNN-LSTM: a 2-D CNN sees each frame, an LSTM the sequence."""

from mmaction.models.recognizers import Recognizer2D
from mmaction.registry import MODELS
from torch import Tensor

from mmsal.models.gaze_aligned import GazeAligned


@MODELS.register_module()
class CNNLSTMRecognizer(GazeAligned, Recognizer2D):
    """Sequential recognizer: any 2-D backbone of MMAction2, then :class:`CNNLSTMHead`.

    Its CNN works frame by frame, so a change in one frame changes the features of that frame
    alone; sequential saliency builds on the two public methods that follow from it.

    Args:
        freeze_cnn (bool): Keep the CNN's weights and batch-norm statistics as they are and train
            the head alone. Defaults to False.
        args, kwargs: Options of MMAction2's ``Recognizer2D``, and ``gaze_loss`` and ``gaze_layer``
            of :class:`~mmsal.models.gaze_aligned.GazeAligned`.
    """

    def __init__(self, *args, freeze_cnn: bool = False, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.freeze_cnn = freeze_cnn
        if freeze_cnn:
            self.backbone.requires_grad_(False)
        if self.gaze_loss is not None and self.gaze_loss.differentiates_twice:
            self.cls_head.differentiable_twice = True

    def train(self, mode: bool = True):
        """Switch the mode; a frozen CNN stays in evaluation mode."""
        super().train(mode)
        if self.freeze_cnn:
            self.backbone.eval()
        return self

    def extract_frame_features(self, inputs: Tensor) -> Tensor:
        """Features of every frame, each computed from that frame alone (in eval mode).

        Args:
            inputs (Tensor): Preprocessed frames [N, T, 3, H, W].

        Returns:
            Tensor: [N, T, D].
        """
        maps = self.backbone(inputs.flatten(0, 1))
        return self.cls_head.frame_features(maps).unflatten(0, inputs.shape[:2])

    def classify_sequence(self, features: Tensor) -> Tensor:
        """Class scores of feature sequences: [N, T, D] -> logits [N, K]."""
        return self.cls_head.classify_sequence(features)
