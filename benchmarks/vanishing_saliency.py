"""Vanishing saliency, and what input-cell attention does about it, on SYNTHETIC boxes.

    python benchmarks/vanishing_saliency.py [--seeds 5] [--boxes early middle late]
    python benchmarks/vanishing_saliency.py --boxes early --published-training --held-out 300
    python benchmarks/vanishing_saliency.py --steps 40 --features 20 --rescaled 10

After Ismail et al. 2019 (arXiv 1910.12370): an LSTM and one with input-cell attention learn to
classify noise in which only a box of times and features tells the class (mmsal.datasets.synthetic.
boxes); then the saliency of held-out samples is held against the box. Both networks are trained
alike until they know their training set: 5 units, Adam, forget gates open for as long as a sequence
lasts, without which an LSTM learns early boxes by heart instead.

--published-training trains as the authors' public code does (github.com/ayaabdelsalam91/
Input-Cell-Attention): see train_as_published, also for what differs.

Weighted Jaccard and Euclidean distance are the publication's, Jaccard and AUC are in the authors'
published results, too. Further columns say what the first two mean: the same two of the same
saliency values in random places, which is what no knowledge of the box gives; density is how much
more saliency a place in the box gets than the average place. --rescaled adds temporal saliency
rescaling of the first held-out samples.
"""

import argparse
import copy
import math
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mmsal.attribution.tsr.features import rescaled_sequence_saliency, sequence_saliency
from mmsal.datasets.synthetic.boxes import BOXES, BoxData, make_boxes
from mmsal.metrics.overlap import euclidean_distance, jaccard, region_auc, weighted_jaccard
from mmsal.models import InputCellAttentionLSTM

CELLS = ('lstm', 'input_cell_attention')
KNOWN = 0.999  # share of the training set at which training ends


class BoxClassifier(nn.Module):
    """One recurrent layer, and a linear one on its last state.

    Args:
        cell (str): ``'lstm'`` or ``'input_cell_attention'`` (20 hops, attention size 50).
        features (int): D.
        forget_bias (float, optional): Of the forget gates at the start; None leaves all weights as
            the layer starts them.
        published (bool): As the authors': dropout of 0.1 on inputs and states, and probabilities
            for scores.
        units (int): Of the layer.
    """

    def __init__(
        self,
        cell: str,
        features: int,
        forget_bias: float | None = None,
        published: bool = False,
        units: int = 5,
    ) -> None:
        super().__init__()
        attention = cell == 'input_cell_attention'
        self.recurrent = (
            InputCellAttentionLSTM(features, units)
            if attention
            else nn.LSTM(features, units, batch_first=True)
        )
        self.dropout = nn.Dropout(0.1 if published else 0.0)
        self.scores = nn.Linear(units, 2)
        self.published = published
        if forget_bias is not None:
            lstm = self.recurrent.lstm if attention else self.recurrent
            with torch.no_grad():
                lstm.bias_ih_l0[units : 2 * units].fill_(forget_bias)
                lstm.bias_hh_l0[units : 2 * units].zero_()

    def classify_sequence(self, features: Tensor) -> Tensor:
        """[N, T, D] -> class scores [N, 2]."""
        states = self.recurrent(self.dropout(features))[0]
        scores = self.scores(self.dropout(states[:, -1]))
        return scores.softmax(dim=1) if self.published else scores

    def share_right(self, data: BoxData) -> float:
        """Share of samples that are told right, without dropout."""
        inputs, labels = torch.from_numpy(data.inputs), torch.from_numpy(data.labels)
        self.eval()
        with torch.no_grad():
            scores = torch.cat([self.classify_sequence(batch) for batch in inputs.split(50)])
        return float((scores.argmax(dim=1) == labels).float().mean())


@dataclass(frozen=True)
class Found:
    """What came out of one training, means over held-out samples.

    Attributes:
        accuracy: Of the network.
        weighted_jaccard, distance: Weighted Jaccard and Euclidean distance of saliency and box.
        weighted_jaccard_shuffled, distance_shuffled: Of the same values in random places.
        jaccard: Of the box and as many of the largest values.
        auc: Of the box against the rest; chance is 0.5.
        density: Saliency of a place in the box relative to the average place.
    """

    accuracy: float
    weighted_jaccard: float
    distance: float
    weighted_jaccard_shuffled: float
    distance_shuffled: float
    jaccard: float
    auc: float
    density: float


def train(
    cell: str, data: BoxData, seed: int, forget_bias: float | None = None, epochs: int = 60
) -> BoxClassifier:
    """Train until the training set is known, at most so many epochs.

    The forget gates start at the logarithm of the steps, so that they keep about as many steps
    (Tallec and Ollivier, ICLR 2018), unless ``forget_bias`` says otherwise.
    """
    torch.manual_seed(seed)
    steps, features = data.inputs.shape[1:]
    model = BoxClassifier(cell, features, math.log(steps) if forget_bias is None else forget_bias)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(epochs):
        if _learn(model, data, _batches(data), optimizer, longest_step=1.0) >= KNOWN:
            break
    return model.eval()


def train_as_published(
    cell: str, known: BoxData, new: BoxData, seed: int, epochs: int = 400
) -> BoxClassifier:
    """Train as the authors' public code does.

    Weights as the layers start them, Adam with a rate of 0.001, batches of 50, dropout of 0.1 on
    inputs and states, cross entropy of the probabilities as if they were scores; until all training
    samples are told right, at most 400 epochs. The network is kept as it was when it told most
    *held-out* samples right, so that its accuracy is flattering. Saliency is that of the true
    class's probability.

    What differs: float32, there float64; other random numbers.
    """
    torch.manual_seed(seed)
    model = BoxClassifier(cell, known.inputs.shape[2], published=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    batches = [batch for _ in range(epochs) for batch in _batches(known)]
    between_looks = 3 if cell == 'input_cell_attention' else 10
    best, kept = -1.0, {}
    for first in range(0, len(batches), between_looks):
        _learn(model, known, batches[first : first + between_looks], optimizer)
        accuracy = model.share_right(new)
        if accuracy > best:
            best, kept = accuracy, copy.deepcopy(model.state_dict())
        if model.share_right(known) == 1:
            break
    model.load_state_dict(kept)
    return model.eval()


def _batches(data: BoxData) -> tuple[Tensor, ...]:
    """Of indices of samples, each once, in random order."""
    return torch.randperm(len(data.labels)).split(50)


def _learn(
    model: BoxClassifier,
    data: BoxData,
    batches: Sequence[Tensor],
    optimizer: torch.optim.Optimizer,
    longest_step: float = math.inf,
) -> float:
    """One step per batch, gradients clipped to a norm; the share told right meanwhile."""
    inputs, labels = torch.from_numpy(data.inputs), torch.from_numpy(data.labels)
    right = 0
    model.train()
    for batch in batches:
        scores = model.classify_sequence(inputs[batch])
        loss = nn.functional.cross_entropy(scores, labels[batch])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), longest_step)
        optimizer.step()
        right += int((scores.argmax(dim=1) == labels[batch]).sum())
    return right / sum(len(batch) for batch in batches)


def standardise(known: BoxData, new: BoxData) -> tuple[BoxData, BoxData]:
    """Each input less its mean over the training set, divided by its standard deviation there."""
    mean, deviation = known.inputs.mean(axis=0), known.inputs.std(axis=0)
    return tuple(replace(data, inputs=(data.inputs - mean) / deviation) for data in (known, new))


def measure(
    cell: str,
    box: str,
    seed: int,
    steps: int = 100,
    features: int = 100,
    samples: int = 1000,
    held_out: int = 100,
    rescaled: int = 0,
    forget_bias: float | None = None,
    published: bool = False,
) -> dict[str, Found]:
    """Train on one box, and hold the saliency of the true class of new samples against it.

    Returns:
        dict[str, Found]: ``gradient``, and with ``rescaled`` above 0 of so many samples ``TSR``.
    """
    known = make_boxes(samples, box, steps, features, seed=2 * seed)
    new = make_boxes(held_out, box, steps, features, seed=2 * seed + 1)
    if published:
        known, new = standardise(known, new)
        model = train_as_published(cell, known, new, seed)
    else:
        model = train(cell, known, seed, forget_bias)
    inputs, labels = torch.from_numpy(new.inputs), new.labels.tolist()
    saliency = {'gradient': sequence_saliency(model, inputs, labels).double()}
    if rescaled:
        pairs = zip(inputs[:rescaled], labels[:rescaled], strict=True)
        ours = [rescaled_sequence_saliency(model, *pair).contributions for pair in pairs]
        saliency['TSR'] = torch.stack(ours)
    accuracy = model.share_right(new)
    return {
        name: _hold_against(values.numpy(), new.truth[: len(values)], accuracy, seed)
        for name, values in saliency.items()
    }


def _hold_against(saliency: np.ndarray, truth: np.ndarray, accuracy: float, seed: int) -> Found:
    flat = saliency.reshape(len(saliency), -1)
    shuffled = np.random.default_rng(seed).permuted(flat, axis=1).reshape(saliency.shape)
    share = (saliency * truth).sum(axis=(1, 2)) / saliency.sum(axis=(1, 2))
    return Found(
        accuracy,
        float(np.mean(weighted_jaccard(saliency, truth))),
        float(np.mean(euclidean_distance(saliency, truth))),
        float(np.mean(weighted_jaccard(shuffled, truth))),
        float(np.mean(euclidean_distance(shuffled, truth))),
        float(np.mean(jaccard(saliency, truth))),
        float(np.mean(region_auc(saliency, truth))),
        float(np.mean(share)) / float(truth.mean()),
    )


def table_row(box: str, cell: str, name: str, found: list[Found]) -> str:
    """Mean over trainings, and the range where it matters."""

    def mean(column: str) -> float:
        return statistics.mean(getattr(one, column) for one in found)

    def spread(column: str) -> str:
        values = [getattr(one, column) for one in found]
        return f'{mean(column):.4f} ({min(values):.4f} to {max(values):.4f})'

    columns = (
        box, cell.replace('_', '-'), name, f'{mean("accuracy"):.3f}', spread('weighted_jaccard'),
        f'{mean("weighted_jaccard_shuffled"):.4f}', spread('distance'),
        f'{mean("distance_shuffled"):.4f}', f'{mean("jaccard"):.4f}', spread('auc'),
        f'{mean("density"):.3f}',
    )  # fmt: skip
    return '| ' + ' | '.join(columns) + ' |'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seeds', type=int, default=5, help='trainings of each network')
    parser.add_argument('--boxes', nargs='+', default=list(BOXES), choices=list(BOXES))
    parser.add_argument('--cells', nargs='+', default=list(CELLS), choices=CELLS)
    parser.add_argument('--steps', type=int, default=100)
    parser.add_argument('--features', type=int, default=100)
    parser.add_argument('--samples', type=int, default=1000, help='for training')
    parser.add_argument('--held-out', type=int, default=100, help='samples that are explained')
    parser.add_argument('--rescaled', type=int, default=0, help='samples for TSR (default: 0)')
    gates = parser.add_mutually_exclusive_group()
    gates.add_argument('--forget-bias', type=float, help='default: the logarithm of the steps')
    gates.add_argument('--published-training', action='store_true', help="as the authors' code")
    parser.add_argument('--out', type=Path, help='write the table to this file, too')
    args = parser.parse_args()
    lines = [
        f'SYNTHETIC boxes in {args.steps} steps of {args.features} features, {args.samples} '
        f'samples to train on, {args.held_out} held out; mean (range) of '
        f'{args.seeds} trainings; {platform.machine()}, torch {torch.__version__}.',
        '',
        '| box | cell | saliency | accuracy, held out | weighted Jaccard | shuffled '
        '| Euclidean distance | shuffled | Jaccard | AUC | density in the box |',
        '|---' * 11 + '|',
    ]
    print('\n'.join(lines))
    sizes = dict(
        steps=args.steps,
        features=args.features,
        samples=args.samples,
        held_out=args.held_out,
        rescaled=args.rescaled,
        forget_bias=args.forget_bias,
        published=args.published_training,
    )
    for box in args.boxes:
        for cell in args.cells:
            found = [measure(cell, box, seed, **sizes) for seed in range(args.seeds)]
            for name in found[0]:
                lines.append(table_row(box, cell, name, [one[name] for one in found]))
                print(lines[-1], flush=True)
    if args.out:
        args.out.write_text('\n'.join(lines) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
