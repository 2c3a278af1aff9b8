"""What saves memory in fine-tuning changes neither the step nor what should stay as it is.

The networks are those of CNN_finetunings with fewer blocks, on small SYNTHETIC clips.
"""

import copy
import warnings
from pathlib import Path

import pytest
import torch
from mmaction.models.backbones import ResNet3dSlowFast
from mmaction.models.backbones.resnet3d import Bottleneck3d
from mmaction.models.backbones.x3d import BlockX3D
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.runner.activation_checkpointing import turn_on_activation_checkpointing
from torch.nn.modules.batchnorm import _BatchNorm

from mmsal.attribution import GradCAM

BASES = Path(__file__).resolve().parents[3] / 'CNN_finetunings/_base_/models'
SHALLOW = dict(stage_blocks=(2, 1, 2, 1), inflate=((1, 0), (1,), (1, 0), (0,)))
# Network: config, changes to each part of its backbone that takes savings, frames.
NETWORKS = {
    'i3d': ('i3d_r50.py', {'': SHALLOW}, 4),
    'x3d': ('x3d_l.py', {'': dict(gamma_d=1.0)}, 4),
    'slowfast': (
        'slowfast_r101.py',
        {'slow_pathway': SHALLOW, 'fast_pathway': SHALLOW},
        8,
    ),
}


def build(network: str, options: dict | None = None, kind: str | None = None):
    """The network in training mode, with random weights, those of batch norms too."""
    file, parts, _ = NETWORKS[network]
    settings = Config.fromfile(BASES / file).model
    settings.cls_head.num_classes = 3
    for part, changes in parts.items():
        backbone = settings.backbone[part] if part else settings.backbone
        backbone.update({**changes, **(options or {})})
    if kind:
        settings.backbone.type = kind
    torch.manual_seed(0)
    model = MODELS.build(settings)
    for module in model.modules():
        if isinstance(module, _BatchNorm):  # MMAction2 starts residual branches at weight 0
            torch.nn.init.uniform_(module.weight, 0.5, 1)
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
    return model.train()


def batch(network: str, clips: int = 2, longer: int = 1) -> dict:
    frames = longer * NETWORKS[network][2]
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randint(0, 256, (clips, 1, 3, frames, 64, 64), generator=generator)
    samples = [ActionDataSample().set_gt_label(number % 3) for number in range(clips)]
    return dict(inputs=list(inputs.to(torch.uint8)), data_samples=samples)


def loss_of(model, data: dict) -> torch.Tensor:
    data = model.data_preprocessor(copy.deepcopy(data), training=True)
    torch.manual_seed(2)  # of the dropout
    return model(**data, mode='loss')['loss_cls']


def step(model, data: dict) -> dict:
    """One forward and backward pass: the loss, every gradient and every buffer."""
    loss = loss_of(model, data)
    loss.backward()
    gradients = {f'gradient of {n}': p.grad for n, p in model.named_parameters()}
    return {'loss': loss.detach(), **gradients, **dict(model.named_buffers())}


def assert_same(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if value is None:
            assert found[name] is None, name
            continue
        torch.testing.assert_close(
            found[name], value, rtol=1e-5, atol=1e-6, msg=lambda text, name=name: f'{name}: {text}'
        )


def calls_of(module) -> list:
    """Grows by one at each forward pass of the module."""
    calls = []
    module.register_forward_hook(lambda *_: calls.append(1))
    return calls


@pytest.fixture(autouse=True)
def torch_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.filterwarnings('error', message='.*use_reentrant')
        warnings.filterwarnings('error', message='.*None of the inputs have requires_grad')
        yield


@pytest.mark.parametrize('network', NETWORKS)
class TestCheckpointing:
    def test_step_is_the_same_batch_norm_statistics_included(self, network):
        expected = step(build(network), batch(network))
        assert any('num_batches_tracked' in name for name in expected)
        model = build(network, dict(with_cp=True))
        stage = model.backbone.layer1 if network != 'slowfast' else model.backbone.slow_path.layer1
        calls = calls_of(stage[0].conv1)
        assert_same(step(model, batch(network)), expected)
        assert len(calls) == 2  # it was computed again

    def test_two_steps_are_the_same_above_frozen_stages(self, network):
        data = batch(network)
        plain = build(network, dict(frozen_stages=2))
        model = build(network, dict(frozen_stages=2, with_cp=True))
        path = model.backbone.slow_path if network == 'slowfast' else model.backbone
        frozen, first = calls_of(path.layer2[0].conv1), calls_of(path.layer3[0].conv1)
        for _ in range(2):
            assert_same(step(model, data), step(plain, data))
        assert (len(frozen), len(first)) == (2, 4)

    def test_mmengines_kind_is_the_same_too(self, network):
        """Stages at a time, the first one above a frozen stem."""
        options = dict(frozen_stages=0)
        expected = step(build(network, options), batch(network))
        model = build(network, options)
        paths = ['slow_path.', 'fast_path.'] if network == 'slowfast' else ['']
        turn_on_activation_checkpointing(
            model, [f'backbone.{path}layer{number}' for path in paths for number in (1, 2, 3, 4)]
        )
        assert_same(step(model, batch(network)), expected)
        assert expected[f'gradient of backbone.{paths[0]}layer1.0.conv1.conv.weight'] is not None

    def test_bfloat16_step_is_the_same(self, network):
        """Clips are longer: where they are shorter than kernels, torch is wrong in bfloat16."""
        results = []
        for with_cp in (False, True):
            model = build(network, dict(with_cp=with_cp))
            with torch.autocast('cpu', torch.bfloat16):
                loss = loss_of(model, batch(network, longer=2))
            loss.backward()
            results.append({n: p.grad for n, p in model.named_parameters()})
        assert_same(*results)

    def test_less_is_kept_for_the_backward_pass(self, network):
        kept = [
            bytes_kept(build(network, dict(with_cp=with_cp)), batch(network))
            for with_cp in (False, True)
        ]
        assert kept[1] < 0.6 * kept[0]

    def test_explaining_computes_nothing_twice_and_makes_the_same_maps(self, network):
        maps = []
        for with_cp in (False, True):
            model = build(network, dict(with_cp=with_cp)).eval()
            path, name = model.backbone, 'backbone/layer3'
            if network == 'slowfast':
                path, name = path.slow_path, 'backbone/slow_path/layer3'
            calls = calls_of(path.layer4[0].conv1)
            with GradCAM(model, name) as cam:
                maps.append(cam.heatmaps(batch(network))[0])
            assert len(calls) == 1
        torch.testing.assert_close(*maps)


def bytes_kept(model, data: dict) -> int:
    """What autograd keeps from the forward pass for the backward pass, each tensor once."""
    storages = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = (storage.nbytes(), tensor)  # the tensor, so it stays alive
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss_of(model, data)
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    return sum(size for pointer, (size, _) in storages.items() if pointer not in weights)


@pytest.mark.parametrize(('kind', 'block'), [('i3d', Bottleneck3d), ('x3d', BlockX3D)])
def test_upstream_counts_batches_twice(kind, block):
    """Ends when it fails: then the block no longer needs mending."""
    model = build(kind, dict(with_cp=True)).backbone.layer3[0]
    assert type(model) is block
    x = torch.rand(2, *{'i3d': (512, 2), 'x3d': (48, 2)}[kind], 8, 8, requires_grad=True)
    with pytest.warns(UserWarning, match='use_reentrant'):
        block.forward.__wrapped__(model, x).sum().backward()
    assert model.conv1.bn.num_batches_tracked == 2


@pytest.mark.parametrize('network', NETWORKS)
class TestFrozenStages:
    def parts(self, model, network: str) -> dict:
        """Frozen modules of ``frozen_stages=2``, by name."""
        backbone = model.backbone
        if network == 'x3d':
            names = ['conv1_s', 'conv1_t', 'layer1', 'layer2']
        elif network == 'i3d':
            names = ['conv1', 'layer1', 'layer2']
        else:
            stages = ['conv1', 'layer1', 'layer2']
            names = [f'{path}_path.{stage}' for path in ('slow', 'fast') for stage in stages]
            names += [f'slow_path.{stage}_lateral' for stage in stages]
        return {name: backbone.get_submodule(name) for name in names}

    def test_they_stay_as_they_are_and_nothing_else_does(self, network):
        model = build(network, dict(frozen_stages=2))
        before = copy.deepcopy(model.state_dict())
        frozen = tuple(f'backbone.{name}.' for name in self.parts(model, network))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
        wrapper = OptimWrapper(optimizer)
        wrapper.update_params(loss_of(model, batch(network)))
        for name, value in model.state_dict().items():
            changed = not torch.equal(value, before[name])
            assert changed != name.startswith(frozen), name

    def test_nothing_is_kept_for_their_backward_pass(self, network):
        model = build(network, dict(frozen_stages=2))
        outputs = {}
        for name, module in self.parts(model, network).items():
            module.register_forward_hook(
                lambda module, inputs, output, name=name: outputs.update({name: output})
            )
        loss_of(model, batch(network))
        assert outputs.keys() == self.parts(model, network).keys()
        for name, output in outputs.items():
            assert not output.requires_grad, name
        kept = bytes_kept(model, batch(network))
        assert kept < 0.6 * bytes_kept(build(network), batch(network))

    def test_eval_and_back_keeps_them_frozen(self, network):
        model = build(network, dict(frozen_stages=2)).eval()
        model.train()
        for module in self.parts(model, network).values():
            assert not any(part.training for part in module.modules())
            assert not any(parameter.requires_grad for parameter in module.parameters())
        assert model.cls_head.training


def test_upstreams_slowfast_forgets_the_connection_of_the_stem():
    """Ends when it fails: then PyTorchVideoSlowFast need not freeze it."""
    model = build('slowfast', dict(frozen_stages=2), kind=ResNet3dSlowFast.__name__)
    assert model.backbone.slow_path.conv1_lateral.conv.weight.requires_grad
    assert not model.backbone.slow_path.layer1_lateral.conv.weight.requires_grad
    ours = build('slowfast', dict(frozen_stages=2))
    data = batch('slowfast')
    assert bytes_kept(ours, data) < 0.8 * bytes_kept(model, data)


@pytest.mark.parametrize('network', NETWORKS)
def test_norm_eval_keeps_the_statistics_and_trains_the_weights(network):
    model = build(network, dict(norm_eval=True))
    before = copy.deepcopy(dict(model.named_buffers()))
    found = step(model, batch(network))
    for name, value in before.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0)
    norms = [m for m in model.backbone.modules() if isinstance(m, _BatchNorm)]
    assert all(norm.weight.grad is not None for norm in norms)


@pytest.mark.parametrize('network', NETWORKS)
def test_accumulating_two_halves_is_one_step_of_the_whole_batch(network):
    """With ``norm_eval``, as the fine-tuning configs have it: no clip sees the others."""
    data = batch(network, clips=4)
    weights = []
    for counts in (1, 2):
        model = build(network, dict(norm_eval=True))
        model.cls_head.dropout = None
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        wrapper = OptimWrapper(
            optimizer, accumulative_counts=counts, clip_grad=dict(max_norm=40, norm_type=2)
        )
        size = 4 // counts
        for start in range(0, 4, size):
            part = {name: values[start : start + size] for name, values in data.items()}
            model.train_step(copy.deepcopy(part), wrapper)
        weights.append({name: value.detach() for name, value in model.named_parameters()})
    start = dict(build(network).named_parameters())
    assert not torch.equal(weights[0]['cls_head.' + last_layer(network)],
                           start['cls_head.' + last_layer(network)])  # fmt: skip
    assert_same(weights[1], weights[0])


def last_layer(network: str) -> str:
    return {'x3d': 'fc2.weight'}.get(network, 'fc_cls.weight')
