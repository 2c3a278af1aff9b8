"""Drawing at random without a trace."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def chance_restored(seed: int | None = None) -> Iterator[None]:
    """What is drawn within the block changes nothing of what is drawn after it.

    Holds for Python's, NumPy's and torch's global generators, on the CPU and the current GPU.

    Args:
        seed (int, optional): Within the block the CPU's generators start from it; None goes on
            from where they are.
    """
    python, numpy = random.getstate(), np.random.get_state()
    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    try:
        with torch.random.fork_rng(devices):
            if seed is not None:
                random.seed(seed)
                np.random.seed(seed)
                torch.default_generator.manual_seed(seed)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
