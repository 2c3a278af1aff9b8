"""Vanishing saliency, and what input-cell attention does about it, on SYNTHETIC boxes.

    python benchmarks/vanishing_saliency.py [--seeds 5] [--boxes early middle late]
    python benchmarks/vanishing_saliency.py --steps 40 --features 20 --rescaled 10

After Ismail et al. 2019 (arXiv 1910.12370): an LSTM and one with input-cell attention learn to
classify noise in which only a box of times and features tells the class (mmsal.datasets.synthetic.
boxes); then the saliency of held-out samples is held against the box. Both networks are trained
alike until they know their training set: 5 units, Adam, forget gates open for as long as a sequence
lasts, without which an LSTM learns early boxes by heart instead.

Weighted Jaccard and Euclidean distance are the publication's. Two more columns say what they mean:
the same two of the same saliency values in random places, which is what no knowledge of the box
gives, and how much more saliency a place in the box gets than the average place. --rescaled adds
temporal saliency rescaling of the first held-out samples.
"""

import argparse
import math
import platform
import statistics
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mmsal.attribution.tsr.features import rescaled_sequence_saliency, sequence_saliency
from mmsal.datasets.synthetic.boxes import BOXES, BoxData, make_boxes
from mmsal.metrics.overlap import euclidean_distance, weighted_jaccard
from mmsal.models import InputCellAttentionLSTM

CELLS = ('lstm', 'input_cell_attention')
KNOWN = 0.999  # share of the training set at which training ends


class BoxClassifier(nn.Module):
    """One recurrent layer, and a linear one on its last state.

    Args:
        cell (str): ``'lstm'`` or ``'input_cell_attention'``.
        features (int): D.
        steps (int): T; the forget gates' bias is its logarithm, so that they keep about T steps
            (Tallec and Ollivier, ICLR 2018), unless ``forget_bias`` says otherwise.
        units (int): Of the layer.
        forget_bias (float, optional): Of the forget gates at the start.
    """

    def __init__(
        self,
        cell: str,
        features: int,
        steps: int,
        units: int = 5,
        forget_bias: float | None = None,
    ) -> None:
        super().__init__()
        attention = cell == 'input_cell_attention'
        self.recurrent = (
            InputCellAttentionLSTM(features, units)
            if attention
            else nn.LSTM(features, units, batch_first=True)
        )
        self.scores = nn.Linear(units, 2)
        lstm = self.recurrent.lstm if attention else self.recurrent
        bias = math.log(steps) if forget_bias is None else forget_bias
        with torch.no_grad():
            lstm.bias_ih_l0[units : 2 * units].fill_(bias)
            lstm.bias_hh_l0[units : 2 * units].zero_()

    def classify_sequence(self, features: Tensor) -> Tensor:
        """[N, T, D] -> class scores [N, 2]."""
        return self.scores(self.recurrent(features)[0][:, -1])


@dataclass(frozen=True)
class Found:
    """What came out of one training, means over held-out samples.

    Attributes:
        accuracy: Of the network.
        jaccard, distance: Weighted Jaccard and Euclidean distance of saliency and box.
        jaccard_shuffled, distance_shuffled: Of the same values in random places.
        density: Saliency of a place in the box relative to the average place.
    """

    accuracy: float
    jaccard: float
    distance: float
    jaccard_shuffled: float
    distance_shuffled: float
    density: float


def train(
    cell: str, data: BoxData, seed: int, forget_bias: float | None = None, epochs: int = 60
) -> BoxClassifier:
    """Train until the training set is known, at most so many epochs."""
    torch.manual_seed(seed)
    inputs, labels = torch.from_numpy(data.inputs), torch.from_numpy(data.labels)
    model = BoxClassifier(cell, inputs.shape[2], inputs.shape[1], forget_bias=forget_bias)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(epochs):
        right = 0
        for batch in torch.randperm(len(labels)).split(50):
            scores = model.classify_sequence(inputs[batch])
            loss = nn.functional.cross_entropy(scores, labels[batch])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            right += int((scores.argmax(dim=1) == labels[batch]).sum())
        if right >= KNOWN * len(labels):
            break
    return model.eval()


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
) -> dict[str, Found]:
    """Train on one box, and hold the saliency of the true class of new samples against it.

    Returns:
        dict[str, Found]: ``gradient``, and with ``rescaled`` above 0 of so many samples ``TSR``.
    """
    known = make_boxes(samples, box, steps, features, seed=2 * seed)
    model = train(cell, known, seed, forget_bias)
    new = make_boxes(held_out, box, steps, features, seed=2 * seed + 1)
    inputs, labels = torch.from_numpy(new.inputs), torch.from_numpy(new.labels)
    with torch.no_grad():
        accuracy = float((model.classify_sequence(inputs).argmax(dim=1) == labels).float().mean())
    saliency = {'gradient': sequence_saliency(model, inputs, labels.tolist()).double()}
    if rescaled:
        pairs = zip(inputs[:rescaled], labels[:rescaled].tolist(), strict=True)
        ours = [rescaled_sequence_saliency(model, *pair).contributions for pair in pairs]
        saliency['TSR'] = torch.stack(ours)
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
        box, cell.replace('_', '-'), name, f'{mean("accuracy"):.3f}', spread('jaccard'),
        f'{mean("jaccard_shuffled"):.4f}', spread('distance'),
        f'{mean("distance_shuffled"):.4f}', f'{mean("density"):.3f}',
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
    parser.add_argument('--rescaled', type=int, default=0, help='samples for TSR (default: 0)')
    parser.add_argument('--forget-bias', type=float, help='default: the logarithm of the steps')
    parser.add_argument('--out', type=Path, help='write the table to this file, too')
    args = parser.parse_args()
    lines = [
        f'SYNTHETIC boxes in {args.steps} steps of {args.features} features, {args.samples} '
        'samples to train on, 100 held out; mean (range) of '
        f'{args.seeds} trainings; {platform.machine()}, torch {torch.__version__}.',
        '',
        '| box | cell | saliency | accuracy, held out | weighted Jaccard | shuffled '
        '| Euclidean distance | shuffled | density in the box |',
        '|---' * 9 + '|',
    ]
    print('\n'.join(lines))
    sizes = dict(
        steps=args.steps,
        features=args.features,
        samples=args.samples,
        rescaled=args.rescaled,
        forget_bias=args.forget_bias,
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
