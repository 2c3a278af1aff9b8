"""Attention rollout by the book: the whole matrix of every block, filled cell by cell, multiplied.

For the small transformers of :mod:`tests.attribution.networks`, whose geometry is written out here
and not asked of them. Everything is float64 and one clip at a time.
"""

from itertools import product

import numpy as np
import torch
from torch import nn

HALF = 0.5


def dense_rollout(name: str, model: nn.Module, data: dict, monkeypatch) -> np.ndarray:
    """Maps [clips, t, h, w]; ``name`` as in ``networks.ALL``."""
    matrices = note_attention(model, data, monkeypatch)
    clips = sum(len(one) for one in data['inputs'])
    frames, height, width = data['inputs'][0].shape[-3:]
    family = next(family for prefix, family in FAMILIES.items() if name.startswith(prefix))
    return np.stack(
        [
            # The windows or frames of a clip follow each other in the batch.
            family(
                [one.reshape(clips, -1, *one.shape[1:])[clip] for one in matrices],
                (frames, height, width),
                model,
            )
            for clip in range(clips)
        ]
    )


def note_attention(model: nn.Module, data: dict, monkeypatch) -> list[np.ndarray]:
    """[batch, queries, keys] of every attention, averaged over heads, in the order of the calls."""
    noted = []
    softmax = torch.Tensor.softmax

    def noting(scores, *args, **kwargs):
        result = softmax(scores, *args, **kwargs)
        if result.dim() == 4:  # torch's own attention has heads and batch in one: see by_hand
            noted.append(result.detach().double().mean(dim=1).numpy())
        return result

    def by_hand(module, args, kwargs):
        noted.append(multihead(module, (args[0] if args else kwargs['query']).detach()))

    hooks = [
        module.register_forward_pre_hook(by_hand, with_kwargs=True)
        for module in model.modules()
        if isinstance(module, nn.MultiheadAttention)
    ]
    with monkeypatch.context() as patch:
        patch.setattr(torch.Tensor, 'softmax', noting)
        model.test_step(data)
    for hook in hooks:
        hook.remove()
    return noted


def multihead(module: nn.MultiheadAttention, tokens: torch.Tensor) -> np.ndarray:
    """Self-attention of [tokens, batch, channels], head by head."""
    weight, bias = (
        parameter.detach().double().numpy()
        for parameter in (module.in_proj_weight, module.in_proj_bias)
    )
    channels, heads = module.embed_dim, module.num_heads
    wide = channels // heads
    result = []
    for clip in tokens.double().numpy().transpose(1, 0, 2):
        total = 0
        for head in range(heads):
            q, k = slice(head * wide, (head + 1) * wide), channels + head * wide
            k = slice(k, k + wide)
            scores = (clip @ weight[q].T + bias[q]) @ (clip @ weight[k].T + bias[k]).T
            scores = np.exp(scores / np.sqrt(wide))
            total = total + scores / scores.sum(axis=1, keepdims=True) / heads
        result.append(total)
    return np.stack(result)


def multiplied(blocks: list[np.ndarray]) -> np.ndarray:
    total = np.eye(blocks[0].shape[1])
    for block in blocks:
        np.testing.assert_allclose(block.sum(axis=1), 1, atol=1e-5)
        total = block @ total
    return total


def skip(attention: np.ndarray) -> np.ndarray:
    return HALF * np.eye(len(attention)) + HALF * attention


def cells(size: tuple) -> list[tuple]:
    return list(product(*map(range, size)))


def pooling(size: tuple, pooled: tuple, kernel: tuple, stride: tuple, padding: tuple) -> np.ndarray:
    """[pooled tokens, tokens], rows even over the cells of the window that exist."""
    place = {cell: number for number, cell in enumerate(cells(size))}
    matrix = np.zeros((len(cells(pooled)), len(place)))
    for row, out in enumerate(cells(pooled)):
        corner = np.array(out) * stride - padding
        window = [tuple(corner + offset) for offset in cells(kernel)]
        window = [place[cell] for cell in window if cell in place]
        matrix[row, window] = 1 / len(window)
    return matrix


def after(size: tuple, kernel: tuple, stride: tuple, padding: tuple) -> tuple:
    axes = zip(size, kernel, stride, padding, strict=True)
    return tuple((n + 2 * p - k) // s + 1 for n, k, s, p in axes)


def videomae(matrices, clip, model, first_only=False):
    size = (clip[0] // 2, clip[1] // 16, clip[2] // 16)
    total = multiplied([skip(one[0]) for one in matrices])
    return (total[0] if first_only else total.mean(axis=0)).reshape(size)


def vit_first(matrices, clip, model):
    return videomae(matrices, clip, model, first_only=True)


def timesformer_joint(matrices, clip, model):
    total = multiplied([skip(one[0]) for one in matrices])
    return total[0, 1:].reshape(clip[1] // 16, clip[2] // 16, clip[0]).transpose(2, 0, 1)


def timesformer_space(matrices, clip, model):
    maps = []
    for frame in range(clip[0]):
        total = multiplied([skip(one[frame]) for one in matrices])
        maps.append(total[0, 1:].reshape(clip[1] // 16, clip[2] // 16) / clip[0])
    return np.stack(maps)


def timesformer(matrices, clip, model):
    frames, patches = clip[0], clip[1] // 16 * (clip[2] // 16)
    number = {(p, t): 1 + p * frames + t for p in range(patches) for t in range(frames)}
    blocks = []
    for step, one in enumerate(matrices):
        block = HALF * np.eye(1 + patches * frames)
        if step % 2 == 0:  # over time
            block[0, 0] = 1
            for p, a, b in product(range(patches), range(frames), range(frames)):
                block[number[p, a], number[p, b]] += HALF * one[p][a, b]
        else:
            for t in range(frames):
                tokens = [0] + [number[p, t] for p in range(patches)]
                for a, b in product(range(1 + patches), repeat=2):
                    share = 1 if a else 1 / frames
                    block[tokens[a], tokens[b]] += HALF * share * one[t][a, b]
        blocks.append(block)
    total = multiplied(blocks)
    return total[0, 1:].reshape(clip[1] // 16, clip[2] // 16, frames).transpose(2, 0, 1)


def uniformer(matrices, clip, model):
    size = ((clip[0] - 1) // 2 + 1, clip[1] // 16, clip[2] // 16)
    merged = (size[0], size[1] // 2, size[2] // 2)
    merge = pooling(size, merged, (1, 2, 2), (1, 2, 2), (0, 0, 0))
    total = multiplied([skip(matrices[0][0]), merge, skip(matrices[1][0])])
    return total.mean(axis=0).reshape(size)


def uniformerv2(matrices, clip, model):
    frames, rows, columns = clip[0], clip[1] // 16, clip[2] // 16
    tokens = 1 + rows * columns
    blocks = []
    for one in matrices:  # of the frames in every layer, of the clip's token in layers 1 and 2
        if len(one) == frames:
            block = np.eye(1 + frames * tokens)
            for t in range(frames):
                own = slice(1 + t * tokens, 1 + (t + 1) * tokens)
                block[own, own] = skip(one[t])
        else:
            block = np.eye(1 + frames * tokens)
            block[0] = HALF * block[0] + HALF * np.append(0, one[0][0])
        blocks.append(block)
    assert len(blocks) == 5
    balance = 1 / (1 + np.exp(-model.backbone.transformer.balance.detach().double().numpy()))
    row = np.zeros(1 + frames * tokens)
    row[0] = (1 - balance).mean()
    for t in range(frames):
        row[1 + t * tokens] = balance.mean() / frames
    row = row @ multiplied(blocks)
    return row[1:].reshape(frames, tokens)[:, 1:].reshape(frames, rows, columns)


def swin(matrices, clip, model):
    size = (-(-clip[0] // 2), -(-clip[1] // 4), -(-clip[2] // 4))
    merged = (size[0], -(-size[1] // 2), -(-size[2] // 2))
    merge = pooling(size, merged, (1, 2, 2), (1, 2, 2), (0, 0, 0))
    window, shift = (2, 4, 4), (1, 2, 2)
    first, second, third, fourth = matrices
    blocks = [
        windows(first, size, window, (0, 0, 0)),
        windows(second, size, window, shift),
        merge,
        windows(third, merged, window, (0, 0, 0)),
        windows(fourth, merged, window, shift),
    ]
    return multiplied(blocks).mean(axis=0).reshape(size)


def windows(matrices, size, window, shift):
    """The matrix of all tokens: cell s of the shifted grid is cell s + shift of the video."""
    window = np.minimum(window, size)
    shift = np.where(window == size, 0, shift)
    padded = -(-np.array(size) // window) * window
    place = {cell: number for number, cell in enumerate(cells(size))}
    block = np.zeros((len(place), len(place)))
    members = {}
    for cell in cells(padded):
        key = tuple(np.array(cell) // window)
        original = tuple((np.array(cell) + shift) % padded)
        members.setdefault(key, []).append(place.get(original))
    for matrix, key in zip(matrices, sorted(members), strict=True):
        real = [i for i, token in enumerate(members[key]) if token is not None]
        tokens = [members[key][i] for i in real]
        part = matrix[np.ix_(real, real)]
        block[np.ix_(tokens, tokens)] = part / part.sum(axis=1, keepdims=True)
    return skip(block)


def mvit(matrices, clip, model, first=1):
    size = start = after(clip, (3, 7, 7), (2, 4, 4), (1, 3, 3))
    blocks = []
    for one, (q, kv) in zip(matrices, [(1, 8), (2, 4), (1, 4), (2, 2)], strict=True):
        geometry = ((3, 3, 3), (1, kv, kv), (1, 1, 1))
        read = with_token(pooling(size, after(size, *geometry), *geometry), first)
        block = HALF * one[0] @ read
        if q == 1:
            block += HALF * np.eye(len(block))
        else:
            geometry = ((1, 3, 3), (1, 2, 2), (0, 1, 1))
            pooled = after(size, *geometry)
            block += HALF * with_token(pooling(size, pooled, *geometry), first)
            size = pooled
        blocks.append(block)
    total = multiplied(blocks)
    return (total[0, 1:] if first else total.mean(axis=0)).reshape(start)


def with_token(matrix: np.ndarray, first: int) -> np.ndarray:
    """The matrix with the class token, if there is one, left to itself."""
    if not first:
        return matrix
    grown = np.zeros((matrix.shape[0] + 1, matrix.shape[1] + 1))
    grown[0, 0], grown[1:, 1:] = 1, matrix
    return grown


def mvit_mean(matrices, clip, model):
    return mvit(matrices, clip, model, first=0)


# By the start of the network's name, the longer ones first.
FAMILIES = {
    'timesformer_joint': timesformer_joint,
    'timesformer_space': timesformer_space,
    'timesformer': timesformer,
    'swin': swin,
    'mvit_mean': mvit_mean,
    'mvit': mvit,
    'videomae': videomae,
    'vit_first': vit_first,
    'uniformerv2': uniformerv2,
    'uniformer': uniformer,
}
