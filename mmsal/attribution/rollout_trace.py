"""Running a model while noting how its tokens go through the attention blocks."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mmsal.attribution.layers import TargetLayerError
from mmsal.attribution.rollout_steps import attend

SOFTMAX = frozenset([F.softmax, torch.softmax, Tensor.softmax])

Step = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Call:
    """One call of a module, just after it.

    Attributes:
        module: What was called.
        args: With what.
        kwargs: Likewise.
        output: What came of it.
        attention: The last attention matrix computed in it [B, queries, keys], averaged over heads;
            to be asked for once.
    """

    module: nn.Module
    args: tuple
    kwargs: dict
    output: Tensor | tuple
    attention: Callable[[], Tensor]


@dataclass
class Trace:
    """What one call of the backbone leaves behind.

    Attributes:
        steps: From the bottom up.
        stem: Shape of the output of the family's ``stem``.
    """

    steps: list[Step] = field(default_factory=list)
    stem: tuple[int, ...] = ()


class Family:
    """One kind of backbone in one model; as it stands, of tokens that the head averages.

    Attributes:
        backbone: Its calls are rolled out one by one.
        stem: Its output [B, C, t, h, w] is the grid that the map lies on.
        blocks: Modules with attention, from the bottom up.
    """

    stem: nn.Module
    blocks: Sequence[nn.Module]

    def __init__(self, model: nn.Module) -> None:
        self.backbone = model.backbone
        self.head = getattr(model, 'cls_head', None)

    def layers(self) -> Iterator[tuple[nn.Module, Callable[[Call], Step]]]:
        """The modules that tokens go through, and what makes a step of a call of each."""
        for block in self.blocks:
            yield block, lambda call: partial(attend, weights=call.attention())

    def first_row(self, output: Tensor | tuple, trace: Trace) -> Tensor:
        """[B, L], what the head reads of the last tokens, given the backbone's output."""
        return even(len(output), output.shape[2:], output.device)

    def lay_out(self, row: Tensor, trace: Trace) -> Tensor:
        """Shares of tokens [B, L] as maps [B, t, h, w]."""
        return row.unflatten(1, trace.stem[2:])

    def refuse(self, why: str) -> None:
        kind = type(self.backbone).__name__
        raise TargetLayerError(f'attention rollout of this {kind} is not possible: {why}')

    def expect_average(self) -> None:
        """Refuse a head that does something else with a feature map."""
        if not isinstance(getattr(self.head, 'avg_pool', None), nn.AdaptiveAvgPool3d):
            kind = type(self.head).__name__
            self.refuse(f'its {kind} does not average the tokens, as an I3DHead does')


def even(batch: int, size: Sequence[int], device: torch.device) -> Tensor:
    """The row of a head that averages all tokens of a grid."""
    return torch.full((batch, prod(size)), 1 / prod(size), device=device)


class _Attention(TorchFunctionMode):
    """Within the block, keeps the last attention matrix that any module computes.

    MMAction2's attention modules do not return their matrices, and all have their own ways to
    them (biases, masks, pooling), but each takes one softmax over [B, heads, queries, keys].
    """

    def __init__(self) -> None:
        super().__init__()
        self._last = None

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if function in SOFTMAX and result.dim() == 4:
            self._last = result.float().mean(dim=1)
        return result

    def take(self) -> Tensor:
        """[B, queries, keys], averaged over heads; each can be taken once."""
        last, self._last = self._last, None
        if last is None:
            raise TargetLayerError('a block computes its attention without softmax: not supported')
        return last


@contextmanager
def recorded(family: Family) -> Iterator[list[Tensor]]:
    """Within the block, each call of the backbone adds its maps [B, t, h, w] to the list."""
    maps = []
    trace = Trace()

    def note_stem(module, args, output):
        trace.stem = output.shape

    def roll_out(module, args, output):
        row = family.first_row(output, trace)
        while trace.steps:  # from the last block down; the matrix of each goes with it
            row = trace.steps.pop()(row)
        maps.append(family.lay_out(row, trace))

    hooks = []
    try:
        with _Attention() as attention:
            hooks.append(family.stem.register_forward_hook(note_stem))
            for module, make_step in family.layers():
                note = _noting(make_step, trace, attention)
                hooks.append(module.register_forward_hook(note, with_kwargs=True))
            hooks.append(family.backbone.register_forward_hook(roll_out))
            yield maps
    finally:
        for hook in hooks:
            hook.remove()


def _noting(make_step: Callable[[Call], Step], trace: Trace, attention: _Attention) -> Callable:
    """A hook that adds the step through a module to the trace."""

    def note(module, args, kwargs, output):
        trace.steps.append(make_step(Call(module, args, kwargs, output, attention.take)))

    return note
