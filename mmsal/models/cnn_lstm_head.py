"""Head of the CNN-LSTM: features of each frame, a stack of recurrent layers, class scores."""

from collections.abc import Sequence
from contextlib import nullcontext
from itertools import pairwise

import torch
from mmaction.models.heads import BaseHead
from mmaction.registry import MODELS
from torch import Tensor, nn

from mmsal.models.input_cell_attention import InputCellAttentionLSTM

CELLS = ('lstm', 'input_cell_attention')


@MODELS.register_module()
class CNNLSTMHead(BaseHead):
    """A linear layer to D features per frame, then LSTM layers; the last one's units are classes.

    The class scores (logits) are the hidden state of the last LSTM layer, which has one unit per
    class, at the last time step; so they lie in (-1, 1).

    Args:
        num_classes (int): K.
        in_channels (int): C, channels of the CNN's feature map.
        feature_size (int): D, features per frame. Defaults to 300.
        hidden_sizes (Sequence[int]): Units of the LSTM layers before the last. Defaults to
            (256, 128).
        cell (str): ``'lstm'``, or ``'input_cell_attention'`` for a first layer that attends over
            all frames so far (:class:`InputCellAttentionLSTM`). Defaults to ``'lstm'``.
        attention_hops (int): r of the attention cell. Defaults to 20.
        attention_size (int): d_a of the attention cell. Defaults to 50.
        clip_len (int, optional): Frames of one clip; a sample of several clips or crops is cut
            into them and their scores are averaged. None takes all frames as one clip.
        dropout_ratio (float): Dropout on the frame features in training. Defaults to 0.
        kwargs: Options of MMAction2's ``BaseHead``.

    Raises:
        ValueError: For an unknown cell, or frames that do not make whole clips.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        feature_size: int = 300,
        hidden_sizes: Sequence[int] = (256, 128),
        cell: str = 'lstm',
        attention_hops: int = 20,
        attention_size: int = 50,
        clip_len: int | None = None,
        dropout_ratio: float = 0.0,
        **kwargs,
    ) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        if cell not in CELLS:
            raise ValueError(f'expected cell to be one of {", ".join(CELLS)}, got {cell!r}')
        self.clip_len = clip_len
        # Whether the gradient of its scores is to be differentiated again, as a gaze loss does.
        self.differentiable_twice = False
        self.fc_feature = nn.Linear(in_channels, feature_size)
        self.dropout = nn.Dropout(dropout_ratio)
        sizes = [feature_size, *hidden_sizes, num_classes]
        layers = [nn.LSTM(i, o, batch_first=True) for i, o in pairwise(sizes)]
        if cell == 'input_cell_attention':
            layers[0] = InputCellAttentionLSTM(sizes[0], sizes[1], attention_hops, attention_size)
        self.recurrent = nn.ModuleList(layers)

    def init_weights(self) -> None:
        """Open the forget gates (bias 1), so that the last frame is not all that counts at first.

        Jozefowicz et al., ICML 2015. The attention cell keeps its authors' initialisation.
        """
        super().init_weights()
        for layer in self.recurrent:
            if isinstance(layer, nn.LSTM):
                units = layer.hidden_size
                with torch.no_grad():
                    layer.bias_ih_l0[units : 2 * units].fill_(1.0)
                    layer.bias_hh_l0[units : 2 * units].zero_()

    def frame_features(self, maps: Tensor) -> Tensor:
        """Features of single frames.

        Args:
            maps (Tensor): The CNN's feature maps [M, C, H, W], or pooled features [M, C].

        Returns:
            Tensor: [M, D].
        """
        pooled = maps.flatten(2).mean(dim=2) if maps.dim() > 2 else maps
        return self.dropout(self.fc_feature(pooled))

    def classify_sequence(self, features: Tensor) -> Tensor:
        """Class scores of feature sequences.

        Args:
            features (Tensor): [N, T, D].

        Returns:
            Tensor: Logits [N, K] in (-1, 1).
        """
        # cuDNN runs an LSTM's backward pass in training mode only, and once only; the gradient that
        # an explanation or a gaze loss asks for needs torch's own kernels, here and nowhere else.
        own = torch.is_grad_enabled() and (self.differentiable_twice or not self.training)
        with torch.backends.cudnn.flags(enabled=False) if own else nullcontext():
            for layer in self.recurrent:
                features, _ = layer(features)
        return features[:, -1]

    def forward(self, x: Tensor, num_segs: int, **kwargs) -> Tensor:
        """Class scores of a batch.

        Args:
            x (Tensor): Feature maps [N * num_segs, C, H, W] of every frame of the batch.
            num_segs (int): Frames per sample, over all its clips and crops.

        Returns:
            Tensor: Logits [N * V, K], where V = num_segs / clip_len views per sample.
        """
        clip_len = self.clip_len or num_segs
        if num_segs % clip_len:
            raise ValueError(f'expected whole clips of {clip_len} frames, got {num_segs} frames')
        features = self.frame_features(x)
        scores = self.classify_sequence(features.view(-1, clip_len, features.shape[-1]))
        # In mixed precision too: MMAction2's accuracy cannot read bfloat16.
        return scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores
