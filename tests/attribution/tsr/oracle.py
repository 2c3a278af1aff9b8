"""Temporal saliency rescaling as published, clip by clip, with captum; shares nothing with ours.

Written from Ismail et al. (NeurIPS 2020, arXiv 2010.13924), Algorithm 1, and from what the
published code adds to it: both contributions to [0, 1] (``minmax_scale``), the 0.55 quantile, and
0.1 in other frames.
"""

import numpy as np
import torch
from captum.attr import IntegratedGradients, Saliency


def scores_of(model, frames_first: bool):
    """Clips as frames [N, T, C, H, W] to logits [N, K], by MMAction2's own tensor mode."""

    def score(frames):
        if frames_first:
            return torch.cat([model(one[None], stage='head', mode='tensor') for one in frames])
        return model(frames.transpose(1, 2)[:, None], stage='head', mode='tensor')

    return score


def attribution(score, target: int, of: str, steps: int):
    if of == 'integrated_gradients':
        method = IntegratedGradients(score)
        how = dict(n_steps=steps, method='gausslegendre', internal_batch_size=1, baselines=0.0)
        return lambda frames: method.attribute(frames[None], target=target, **how)[0].detach()
    saliency = Saliency(score)
    return lambda frames: saliency.attribute(frames[None].clone().requires_grad_(True), target)[0]


def to_unit(values: np.ndarray) -> np.ndarray:
    span = values.max() - values.min()
    return (values - values.min()) / span if span > 0 else np.zeros_like(values)


def direct_loop(
    score,
    frames,
    target,
    filling,
    patch_size,
    quantile=0.55,
    form='official',
    of='gradient',
    steps=4,
):
    """Map [T, H, W] and time [T] of a clip [T, C, H, W]; ``filling`` broadcasts to the clip."""
    attribute = attribution(score, target, of, steps)
    right = attribute(frames)
    filling = filling.expand_as(frames)

    def change(t, rows=slice(None), columns=slice(None)):
        hidden = frames.clone()
        hidden[t, :, rows, columns] = filling[t, :, rows, columns]
        return float((right - attribute(hidden)).abs().double().sum())

    official = form == 'official'
    time = np.array([change(t) for t in range(len(frames))])
    time = to_unit(time) if official else time
    height, width = frames.shape[-2:]
    saliency = np.zeros((len(frames), height, width))
    for t in range(len(frames)):
        if time[t] <= np.quantile(time, quantile):
            saliency[t] = time[t] * (0.1 if official else 0)
            continue
        tops, lefts = range(0, height, patch_size), range(0, width, patch_size)
        parts = np.array(
            [
                [change(t, slice(y, y + patch_size), slice(x, x + patch_size)) for x in lefts]
                for y in tops
            ]
        )
        parts = to_unit(parts) if official else parts
        for i, y in enumerate(tops):
            for j, x in enumerate(lefts):
                saliency[t, y : y + patch_size, x : x + patch_size] = time[t] * parts[i, j]
    return saliency, time
