r"""How activations A and gradients g = ds/dA become localization maps.

Each method takes float [B, t, C, h, w] twice, B over samples and views, and gives [B, t, h, w],
not below 0. s is the score of the explained class before softmax. Weights are formed frame by
frame, as MMAction2's GradCAM forms them.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def class_activation(activations: Tensor, gradients: Tensor) -> Tensor:
    r"""Grad-CAM before its ReLU: :math:`\sum_c \overline{g_c} A_c`, which may be below 0."""
    return (gradients.mean(dim=(3, 4), keepdim=True) * activations).sum(dim=2)


def gradcam(activations: Tensor, gradients: Tensor) -> Tensor:
    r"""Grad-CAM: :math:`ReLU \sum_c \overline{g_c} A_c`, the mean over space.

    Selvaraju et al., ICCV 2017.
    """
    return F.relu(class_activation(activations, gradients))


def gradcam_plus_plus(activations: Tensor, gradients: Tensor) -> Tensor:
    r"""Grad-CAM++: the weights are :math:`\sum_{ij} \alpha_{cij} ReLU(g_{cij})`.

    .. math:: \alpha = g^2 / (2 g^2 + g^3 \sum_{ij} A_{ij})

    where g is not 0, which holds for a score that goes through an exponential (the softmax without
    its denominator). Chattopadhay et al., WACV 2018.
    """
    # A gradient of 1e-12 to the third power is no float32 number above 0, and alpha does not
    # depend on its scale: g^2 cancels.
    total = activations.sum(dim=(3, 4), keepdim=True)
    below = 2 + gradients * total
    tiny = torch.finfo(below.dtype).tiny
    alpha = torch.where(gradients != 0, 1 / below.where(below.abs() > tiny, torch.inf), 0)
    return _weighted(activations, (alpha * F.relu(gradients)).sum(dim=(3, 4), keepdim=True))


def layercam(activations: Tensor, gradients: Tensor) -> Tensor:
    r"""LayerCAM: :math:`ReLU \sum_c ReLU(g_{cij}) A_{cij}`. Jiang et al., IEEE TIP 2021."""
    return _weighted(activations, F.relu(gradients))


def hirescam(activations: Tensor, gradients: Tensor) -> Tensor:
    r"""HiResCAM: :math:`ReLU \sum_c g_{cij} A_{cij}`. Draelos and Carin, arXiv 2011.08891."""
    return _weighted(activations, gradients)


def eigencam(activations: Tensor, gradients: Tensor) -> Tensor:
    """EigenCAM: activations on their first principal component; no class and no gradient in it.

    Muhammad and Yeasin, IJCNN 2020. The component is one for all frames of a clip, so that its maps
    have one sign and one scale. Channels are centred first. A principal component has no sign of
    its own: taken is the one with which few positions stand out high from many that are low (the
    projection's third moment is positive), or, where it is even both ways, the one along which the
    mean activation rises.
    """
    batch, _, channels = activations.shape[:3]
    points = activations.movedim(2, -1).reshape(batch, -1, channels).double()  # [B, t h w, C]
    centred = points - points.mean(dim=1, keepdim=True)
    # The smaller of the two Gram matrices has the same leading eigenvector, and is quick.
    if centred.shape[1] < channels:
        leading = torch.linalg.eigh(centred @ centred.mT)[1][..., -1:]  # [B, t h w, 1]
        component = F.normalize(centred.mT @ leading, dim=1)
    else:
        component = torch.linalg.eigh(centred.mT @ centred)[1][..., -1:]  # [B, C, 1]
    projected = (centred @ component)[..., 0]
    # Not the mean activation first: after a LayerNorm it is the same everywhere, but for rounding.
    skew = projected.pow(3).sum(dim=1, keepdim=True)
    even = skew.abs() <= 1e-6 * projected.abs().pow(3).sum(dim=1, keepdim=True)
    along = (projected * centred.mean(dim=2)).sum(dim=1, keepdim=True)
    projected = projected * torch.where(torch.where(even, along, skew) < 0, -1.0, 1.0)
    maps = projected.unflatten(1, activations.movedim(2, -1).shape[1:4])
    return F.relu(maps).to(activations.dtype)


def _weighted(activations: Tensor, weights: Tensor) -> Tensor:
    return F.relu((weights * activations).sum(dim=2))


CAM_METHODS = {
    'gradcam': gradcam,
    'gradcam++': gradcam_plus_plus,
    'layercam': layercam,
    'hirescam': hirescam,
    'eigencam': eigencam,
}
