"""Quick kernels: the same values, and nothing left behind."""

import pytest
import torch
from mmcv.cnn import ConvModule, Swish
from torch import nn

from mmsal.attribution.cpu_kernels import quick_cpu_kernels, run_quickly

POOLS = [
    (nn.MaxPool2d(3, 2, 1), (4, 8, 15, 17)),
    (nn.MaxPool2d((2, 3), padding=(1, 0), ceil_mode=True), (4, 8, 15, 17)),
    (nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)), (2, 8, 5, 15, 17)),
    (nn.MaxPool3d((2, 1, 1), (2, 1, 1)), (2, 8, 5, 9, 9)),
    (nn.MaxPool3d((2, 1, 1), (1, 1, 1)), (2, 8, 5, 9, 9)),
    (nn.MaxPool3d((2, 1, 1), (2, 1, 1), ceil_mode=True), (2, 8, 5, 9, 9)),
    (nn.MaxPool3d((2, 1, 1), (2, 1, 1), (1, 0, 0)), (2, 8, 5, 9, 9)),
    (nn.MaxPool3d(2, dilation=2), (2, 8, 7, 9, 9)),
]


@pytest.mark.parametrize(('pool', 'shape'), POOLS, ids=[str(pool) for pool, _ in POOLS])
def test_values_are_the_same_to_the_last_bit(pool, shape):
    torch.manual_seed(0)
    x = torch.randn(shape).relu()  # many equal values
    expected = pool(x)
    with quick_cpu_kernels(nn.Sequential(pool)):
        found = pool(x)
    assert found.equal(expected)
    assert found.is_contiguous()
    assert 'forward' not in vars(pool)
    channels_innermost = {4: torch.channels_last, 5: torch.channels_last_3d}[x.dim()]
    with quick_cpu_kernels(nn.Sequential(pool)):
        found = pool(x.contiguous(memory_format=channels_innermost))
    assert found.equal(expected)
    assert found.is_contiguous(memory_format=channels_innermost)


def test_gradient_chooses_as_torch_does():
    pool = nn.MaxPool3d((2, 1, 1), (2, 1, 1))
    gradients = []
    for model in (nn.Sequential(), nn.Sequential(pool)):
        x = torch.zeros(1, 1, 4, 2, 2, requires_grad=True)
        with quick_cpu_kernels(model):
            pool(x).sum().backward()
        gradients.append(x.grad)
    assert gradients[0].equal(gradients[1])
    assert gradients[0].max() == 1  # one of the equal values, not a share for each


def test_is_undone_after_an_error():
    pool = nn.MaxPool2d(2)
    with pytest.raises(RuntimeError), quick_cpu_kernels(nn.Sequential(pool)):
        assert 'forward' in vars(pool)
        raise RuntimeError
    assert 'forward' not in vars(pool)


def test_keeps_off_a_forward_that_somebody_else_put_there():
    pool = nn.MaxPool2d(2)
    pool.forward = mine = lambda x: x
    with quick_cpu_kernels(nn.Sequential(pool)):
        assert pool.forward is mine
    assert pool.forward is mine


CONVOLUTIONS = [
    nn.Conv3d(8, 6, (1, 3, 3), padding=(0, 1, 1), bias=False),
    nn.Conv3d(8, 6, (1, 3, 3), stride=(2, 2, 2), padding=(0, 1, 1)),
    nn.Conv3d(8, 6, (1, 5, 5), dilation=(1, 2, 2), groups=2),
    nn.Conv3d(8, 6, (1, 3, 3), padding='same'),
    nn.Conv3d(8, 6, (1, 3, 3), padding=(0, 1, 1), padding_mode='circular'),
    nn.Conv3d(8, 6, 3, padding=1),
    nn.Conv3d(8, 6, 1),
    nn.Conv3d(8, 6, 1, stride=(1, 2, 2), bias=False),
    nn.Conv3d(8, 8, 3, stride=(1, 2, 2), padding=1, groups=8, bias=False),
    nn.Conv3d(8, 8, (5, 1, 1), padding=(2, 0, 0), groups=8),
    nn.Conv3d(8, 6, (7, 1, 1), stride=(4, 1, 1), padding=(3, 0, 0)),
]


@pytest.mark.parametrize('conv', CONVOLUTIONS, ids=str)
@pytest.mark.parametrize('clips', [1, 2])
def test_convolution_agrees_to_rounding(conv, clips):
    torch.manual_seed(0)
    conv = conv.requires_grad_(False)
    x = torch.randn(clips, 8, 5, 15, 17)
    expected = conv(x)
    with quick_cpu_kernels(nn.Sequential(conv)):
        found = conv(x)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert 'forward' not in vars(conv)


def test_convolution_with_a_gradient_is_left_alone():
    conv = nn.Conv3d(8, 6, (1, 3, 3))
    x = torch.randn(1, 8, 5, 9, 9, requires_grad=True)
    with quick_cpu_kernels(nn.Sequential(conv)):
        conv(x).sum().backward()
    assert x.grad.abs().max() > 0
    assert conv.weight.grad.abs().max() > 0


@pytest.mark.parametrize(
    'without',
    [
        lambda: torch.backends.mkldnn.flags(enabled=False),
        lambda: torch.autocast('cpu', dtype=torch.bfloat16),
    ],
    ids=['oneDNN switched off', 'autocast'],
)
def test_convolution_minds_the_settings(without):
    conv = nn.Conv3d(8, 6, 3).requires_grad_(False)
    x = torch.randn(1, 8, 5, 9, 9)
    with without():
        expected = conv(x)
        with quick_cpu_kernels(nn.Sequential(conv)):
            found = conv(x)
    assert found.dtype == expected.dtype
    assert found.equal(expected)


def test_convolution_of_doubles_stays_in_double():
    conv = nn.Conv3d(8, 6, 3).double().requires_grad_(False)
    x = torch.randn(1, 8, 5, 9, 9, dtype=torch.float64)
    with quick_cpu_kernels(nn.Sequential(conv)):
        found = conv(x)
    assert found.equal(conv(x))


def conv_module(**options) -> ConvModule:
    """With statistics as after training, and in evaluation mode."""
    torch.manual_seed(0)
    settings = dict(
        kernel_size=3, padding=1, conv_cfg=dict(type='Conv3d'), norm_cfg=dict(type='BN3d')
    )
    module = ConvModule(8, 6, **{**settings, **options})
    norm = module.norm
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    if norm.affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    return module.requires_grad_(False).eval()


MODULES = {
    'as usual': {},
    'with a bias': dict(bias=True),
    'without activation': dict(act_cfg=None),
    'statistics alone': dict(norm_cfg=dict(type='BN3d', affine=False)),
    'another epsilon': dict(norm_cfg=dict(type='BN3d', eps=0.1)),
    'normalised last': dict(order=('conv', 'act', 'norm')),
    'with groups': dict(groups=2),
    'spectrally normalised': dict(with_spectral_norm=True),
}


@pytest.mark.parametrize('options', MODULES.values(), ids=MODULES)
@pytest.mark.parametrize('called', [{}, dict(activate=False), dict(norm=False)], ids=str)
def test_folded_normalisation_agrees_to_rounding(options, called):
    module = conv_module(**options)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    x = torch.randn(2, 8, 5, 9, 11)
    expected = module(x, **called)
    with quick_cpu_kernels(module):
        found = module(x, **called)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert all(value.equal(before[key]) for key, value in module.state_dict().items())
    assert not any('forward' in vars(part) for part in module.modules())


def test_normalisation_is_folded():
    """Were it not, the test above would compare torch with itself."""
    module = conv_module()
    with quick_cpu_kernels(module), torch.profiler.profile() as profile:
        module(torch.randn(1, 8, 5, 9, 9))
    called = {event.key for event in profile.key_averages()}
    assert 'aten::mkldnn_convolution' in called
    assert 'aten::native_batch_norm' not in called


@pytest.mark.parametrize('part', ['conv', 'bn'])
def test_hooks_see_what_they_would_see(part):
    module, seen = conv_module(), []
    getattr(module, part).register_forward_hook(lambda *args: seen.append(args[-1].clone()))
    x = torch.randn(1, 8, 5, 9, 9)
    module(x)
    with quick_cpu_kernels(module):
        module(x)
    torch.testing.assert_close(seen[1], seen[0], rtol=1e-5, atol=1e-5)


def test_normalisation_in_training_counts_the_batch():
    modules = [conv_module().train() for _ in range(2)]
    x = torch.randn(2, 8, 5, 9, 9)
    expected = modules[0](x)
    with quick_cpu_kernels(modules[1]):
        found = modules[1](x)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        modules[1].norm.running_var, modules[0].norm.running_var, rtol=1e-5, atol=1e-6
    )


def test_normalisation_with_a_gradient_is_left_alone():
    module = conv_module()
    gradients = []
    for model in (nn.Sequential(), module):
        x = torch.linspace(-1, 1, 8 * 5 * 9 * 9).view(1, 8, 5, 9, 9).requires_grad_(True)
        with quick_cpu_kernels(model):
            module(x).square().sum().backward()
        gradients.append(x.grad)
    assert gradients[1].equal(gradients[0])


def test_normalisation_that_is_trained_is_left_alone():
    module = conv_module()
    module.norm.requires_grad_(True)
    x = torch.randn(1, 8, 5, 9, 9)
    with quick_cpu_kernels(module), torch.profiler.profile() as profile:
        module(x).sum().backward()
    assert 'aten::native_batch_norm' in {event.key for event in profile.key_averages()}
    assert module.norm.weight.grad is not None


def test_swish_agrees_to_rounding():
    swish, x = Swish(), torch.linspace(-30, 30, 1001)
    expected = swish(x)
    with quick_cpu_kernels(nn.Sequential(swish)):
        torch.testing.assert_close(swish(x), expected)
        assert swish(x.requires_grad_(True)).requires_grad


class Joining(nn.Module):
    """Joins channels and positions by ``view``, as code does that knows one order of memory."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(8, 6, 3)

    def forward(self, x):
        return self.conv(x).view(len(x), -1)


def test_a_network_that_needs_torch_s_order_gets_it():
    model, x = Joining().requires_grad_(False), torch.randn(1, 8, 5, 9, 9)
    with quick_cpu_kernels(model), pytest.raises(RuntimeError, match='view size'):
        model(x)
    assert run_quickly(model, lambda: model(x)).equal(model(x))


def test_other_errors_are_not_tried_twice():
    calls = []

    def fail():
        calls.append(1)
        raise RuntimeError('out of memory')

    with pytest.raises(RuntimeError, match='out of memory'):
        run_quickly(Joining(), fail)
    assert len(calls) == 1
