"""Mixed precision in bfloat16: what is in it, what is not, and what is refused."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import DefaultSampler, pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmsal.training import BFloat16Error

MODEL = Path(__file__).resolve().parents[2] / 'CNN_finetunings/_base_/models/i3d_r50.py'


def build():
    """I3D of four blocks."""
    settings = Config.fromfile(MODEL).model
    settings.backbone.update(
        stage_blocks=(1, 1, 1, 1), inflate=((1,), (1,), (1,), (0,)), norm_eval=True
    )
    settings.cls_head.update(num_classes=3, dropout_ratio=0)
    torch.manual_seed(0)
    return MODELS.build(settings).train()


def clips(number: int, frames: int = 8) -> list[dict]:
    """SYNTHETIC noise."""
    generator = torch.Generator().manual_seed(1)
    return [
        dict(
            inputs=torch.randint(0, 256, (1, 3, frames, 48, 48), generator=generator).byte(),
            data_samples=ActionDataSample().set_gt_label(index % 3),
        )
        for index in range(number)
    ]


def wrapper(model, kind: str = 'BFloat16OptimWrapper', **options):
    optimizer = dict(type='SGD', lr=0.01, momentum=0.9)
    return build_optim_wrapper(model, dict(type=kind, optimizer=optimizer, **options))


def gradients(kind: str, data: dict) -> tuple[float, dict]:
    """Loss and gradients of one step, taken before the step is made."""
    model = build()
    wrapped = wrapper(model, kind)
    found = {}
    wrapped.step = lambda: found.update({n: p.grad.clone() for n, p in model.named_parameters()})
    losses = model.train_step(copy.deepcopy(data), wrapped)
    return losses['loss'].item(), found


def test_step_is_that_of_float32_but_for_rounding():
    data = pseudo_collate(clips(2))
    loss, found = gradients('BFloat16OptimWrapper', data)
    exact, expected = gradients('OptimWrapper', data)
    assert loss == pytest.approx(exact, rel=0.02)
    assert loss != exact
    assert found.keys() == expected.keys()
    flat = [torch.cat([g.flatten() for g in each.values()]) for each in (found, expected)]
    assert torch.cosine_similarity(*flat, dim=0) > 0.99


def test_only_what_is_computed_is_in_bfloat16():
    model = build()
    wrapped = wrapper(model)
    types = {}
    for name in ('backbone.conv1.conv', 'backbone.layer4.0.conv1.conv', 'cls_head.fc_cls'):
        model.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: types.update({name: output.dtype})
        )
    losses = model.train_step(pseudo_collate(clips(2)), wrapped)
    assert len(types) == 3
    assert set(types.values()) == {torch.bfloat16}
    assert losses['loss'].dtype == torch.float32
    kept = [*model.state_dict().values(), *[p.grad for p in model.parameters()]]
    states = [value for state in wrapped.optimizer.state.values() for value in state.values()]
    assert states
    assert {t.dtype for t in [*kept, *states] if t is not None} == {torch.float32, torch.int64}
    with torch.no_grad():  # testing is in float32
        model.eval().test_step(pseudo_collate(clips(1)))
    assert set(types.values()) == {torch.float32}


def test_gradients_of_two_halves_add_up():
    weights = []
    for counts in (1, 2):
        model = build()
        wrapped = wrapper(model, accumulative_counts=counts)
        size = 4 // counts
        for start in range(0, 4, size):
            model.train_step(pseudo_collate(clips(4)[start : start + size]), wrapped)
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    start = torch.cat([p.detach().flatten() for p in build().parameters()])
    moved, difference = (weights[0] - start).norm(), (weights[0] - weights[1]).norm()
    assert moved > 0
    assert difference < 0.05 * moved


def test_a_runner_trains_with_it(tmp_path):
    dataset = clips(6)
    model = build()
    before = copy.deepcopy(model.state_dict())
    runner = Runner(
        model,
        work_dir=str(tmp_path),
        train_dataloader=DataLoader(
            dataset, batch_size=2, sampler=DefaultSampler(dataset), collate_fn=pseudo_collate
        ),
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(
            type='BFloat16OptimWrapper',
            optimizer=dict(type='SGD', lr=0.01),
            clip_grad=dict(max_norm=40),
            accumulative_counts=2,
        ),
        default_scope='mmaction',
        experiment_name=tmp_path.name,
        log_level='ERROR',
    )
    runner.train()
    after = model.state_dict()
    assert all(value.isfinite().all() for value in after.values())
    assert not torch.equal(
        after['backbone.layer1.0.conv1.conv.weight'], before['backbone.layer1.0.conv1.conv.weight']
    )
    saved = torch.load(tmp_path / 'epoch_2.pth', weights_only=True)
    assert saved['state_dict']['backbone.conv1.conv.weight'].dtype == torch.float32


class TestShortClips:
    def test_they_are_refused_in_one_line(self):
        model = build()
        with pytest.raises(BFloat16Error, match=r'at least 5 frames .* got 4') as error:
            model.train_step(pseudo_collate(clips(2, frames=4)), wrapper(model))
        assert '\n' not in str(error.value)

    def test_no_hook_stays_behind(self):
        """After a step, and after a refusal, the model computes short clips as ever."""
        model = build()
        wrapped = wrapper(model)
        with pytest.raises(BFloat16Error):
            model.train_step(pseudo_collate(clips(2, frames=4)), wrapped)
        model.train_step(pseudo_collate(clips(2)), wrapped)
        model.train_step(pseudo_collate(clips(2, frames=4)), wrapper(model, 'OptimWrapper'))

    def test_what_is_let_through_is_right(self):
        """Lengths of just the kernel's: the weight gradient is float32's but for rounding.

        In a process where glibc fills new memory with 0x7f (3e38), so that what is never written
        shows, and that may end as it likes.
        """
        code = (
            'import torch\n'
            'for kernel in (1, 3, 5, 7):\n'
            '    for channels, groups, size in ((3, 1, 64), (80, 1, 4), (24, 24, 9)):\n'
            '        torch.manual_seed(0)\n'
            '        padding = kernel // 2, 1, 1\n'
            '        conv = torch.nn.Conv3d(channels, 24, (kernel, 3, 3), 1, padding, 1, groups)\n'
            '        clip = torch.randn(2, channels, kernel, size, size)\n'
            '        expected, = torch.autograd.grad(conv(clip).square().sum(), conv.weight)\n'
            "        with torch.autocast('cpu', torch.bfloat16):\n"
            '            maps = conv(clip)\n'
            '        found, = torch.autograd.grad(maps.float().square().sum(), conv.weight)\n'
            '        error = (found - expected).norm() / expected.norm()\n'
            '        assert error < 0.02, (kernel, channels, groups, size, error)\n'
        )
        environment = {**os.environ, 'MALLOC_PERTURB_': '128'}
        done = subprocess.run(
            [sys.executable, '-c', code], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
