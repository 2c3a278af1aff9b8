"""Mixed precision in bfloat16, on CPUs too."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmaction.registry import OPTIM_WRAPPERS
from mmengine.optim import OptimWrapper
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook


class BFloat16Error(ValueError):
    """A layer that torch does not train rightly in bfloat16 on a CPU."""


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Compute convolutions and linear layers in bfloat16, on the device the model lies on.

    Weights, gradients of weights and the optimizer's state stay float32, and so do the losses.
    Bfloat16 has the exponents of float32 (and 8 bits of precision, 2 to 3 digits), so that the
    loss needs no scaling (Kalamkar et al., arXiv 1905.12322). MMEngine's ``AmpOptimWrapper`` with
    ``dtype='bfloat16'`` does the same, but refuses to be built where there is no GPU. Validation
    and testing are not touched: they run in float32.

    In a config: ``optim_wrapper = dict(type='BFloat16OptimWrapper')``, the other keys staying.

    Args:
        kwargs: Options of :class:`mmengine.optim.OptimWrapper`: ``optimizer``,
            ``accumulative_counts``, ``clip_grad``.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Context of a training step's forward pass.

        Args:
            model: The model that is trained; its first parameter tells the device.

        Raises:
            BFloat16Error: On a CPU, a convolution sees fewer frames than its kernel.
        """
        device = next(model.parameters()).device.type
        refusal = register_module_forward_pre_hook(refuse_short_clips) if device == 'cpu' else None
        try:
            with super().optim_context(model), torch.autocast(device, dtype=torch.bfloat16):
                yield
        finally:
            if refusal is not None:
                refusal.remove()


def refuse_short_clips(module: nn.Module, inputs: tuple) -> None:
    """Forward pre-hook: refuse what torch 2.13 trains wrongly, instead of training wrongly.

    Where the input of a 3-D convolution is shorter than its kernel, padding or not, oneDNN's
    weight gradient in bfloat16 holds memory that was never written (NaN, or worse, numbers), and
    can end the process ("double free or corruption"). Longer inputs were right in 816 of 816
    combinations of kernel, length, stride, groups and size, and in every convolution of I3D R50 at
    8x224x224, X3D-L at 16x160x160 and SlowFast R101 at 32x224x224.

    Args:
        module: Any; convolutions over [N, C, T, H, W] are looked at.
        inputs: Its positional inputs.

    Raises:
        BFloat16Error: T is less than the kernel's extent over time.
    """
    if not isinstance(module, nn.Conv3d):
        return
    kernel, frames = module.kernel_size[0], inputs[0].shape[-3]
    if frames < kernel:
        raise BFloat16Error(
            f'bfloat16 on the CPU: expected at least {kernel} frames at a convolution whose kernel '
            f'spans {kernel}, got {frames}; take longer clips, or train in float32 '
            "(optim_wrapper.type='OptimWrapper')"
        )
