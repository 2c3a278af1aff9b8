"""A runner's model, as the explaining code takes it."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor, nn

from mmsal.explain.recognizer import class_names


def bare_model(runner: Runner) -> nn.Module:
    """The recognizer, out of the wrapper that distributed runs put around it."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def names_of_classes(runner: Runner, *metainfos: dict) -> list[str]:
    """Names of the model's classes: of the first description that has some, or the config's.

    Args:
        runner (Runner): With model and config.
        metainfos: Of a checkpoint (``dataset_meta``) or dataset.
    """
    found = next((info['classes'] for info in metainfos if info.get('classes')), None)
    head = getattr(bare_model(runner), 'cls_head', None)
    told = {'meta': {'dataset_meta': {'classes': found}}}
    return class_names(runner.cfg, told, getattr(head, 'num_classes', 0))


@contextmanager
def as_recognizer(runner: Runner, **facts: Any) -> Iterator[nn.Module]:
    """The runner's model, for the block with the attributes of ``mmsal.explain.load_recognizer``.

    Args:
        runner (Runner): Its model is left without them afterwards, or with what it had.
        facts: The attributes; ``cfg`` and ``config_options`` are the runner's.
    """
    # What was given on the command line is in the runner's config already.
    facts = {'cfg': runner.cfg, 'config_options': {}, **facts}
    model = bare_model(runner)
    own = {name: vars(model)[name] for name in facts if name in vars(model)}
    try:
        vars(model).update(facts)
        yield model
    finally:
        for name in facts:
            vars(model).pop(name, None)
        vars(model).update(own)


def weights_digest(model: nn.Module) -> str:
    """SHA-256 of all weights, whether they come from a file or not."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        if isinstance(value, Tensor):
            flat = value.detach().cpu().contiguous().reshape(-1)
            digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
