"""The CNN-LSTM: what its two public methods promise, and its options."""

import pytest
import torch
from mmaction.models.recognizers import Recognizer2D
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config

from mmsal.models import CBAM
from tests.conftest import ROOT


def build(backbone=None, **options):
    """A small CNN-LSTM with random weights."""
    torch.manual_seed(0)
    recognizer = {key: options.pop(key) for key in ('freeze_cnn', 'test_cfg') if key in options}
    small = dict(num_stages=1, strides=(1,), dilations=(1,), out_indices=(0,))
    head = dict(type='CNNLSTMHead', num_classes=3, in_channels=64, topk=(1,), **options)
    config = dict(
        type='CNNLSTMRecognizer',
        backbone=backbone or dict(type='ResNet', depth=18, **small),
        cls_head=head,
        data_preprocessor=dict(type='ActionDataPreprocessor', mean=[100.0] * 3, std=[50.0] * 3),
        **recognizer,
    )
    return MODELS.build(Config(dict(model=config)).model)


def samples(labels):
    made = []
    for label in labels:
        made.append(ActionDataSample())
        made[-1].set_gt_label(label)
    return made


@pytest.mark.parametrize('cell', ['lstm', 'input_cell_attention'])
def test_two_public_methods_make_the_whole(cell):
    model = build(cell=cell).eval()
    inputs = torch.randn(2, 5, 3, 32, 32)
    features = model.extract_frame_features(inputs)
    assert features.shape == (2, 5, 300)
    logits = model.classify_sequence(features)
    assert logits.shape == (2, 3)
    torch.testing.assert_close(logits, model(inputs, mode='tensor', stage='head'))
    assert logits.abs().max() < 1


def test_layers_are_those_of_the_earlier_work():
    layers = build().cls_head.recurrent
    assert [(layer.input_size, layer.hidden_size) for layer in layers] == [
        (300, 256),
        (256, 128),
        (128, 3),
    ]


def test_features_of_a_frame_depend_on_that_frame_alone():
    model = build().eval()
    inputs = torch.randn(1, 4, 3, 32, 32)
    changed = inputs.clone()
    changed[:, 2] = 0
    moved = (model.extract_frame_features(inputs) - model.extract_frame_features(changed)).abs()
    assert moved[0, 2].max() > 1e-3
    assert moved[0, [0, 1, 3]].max() < 1e-6


def test_several_clips_are_scored_apart_and_averaged():
    model = build(clip_len=4, average_clips='score').eval()
    clips = torch.randint(0, 255, (3, 4, 3, 32, 32), dtype=torch.uint8)
    together = model.test_step(dict(inputs=[clips.flatten(0, 1)], data_samples=samples([0])))[0]
    apart = [model.test_step(dict(inputs=[clip], data_samples=samples([0])))[0] for clip in clips]
    mean = torch.stack([one.pred_score for one in apart]).mean(dim=0)
    torch.testing.assert_close(together.pred_score, mean)


def test_frames_that_make_no_whole_clip_are_refused():
    with pytest.raises(ValueError, match='whole clips of 4 frames, got 6'):
        build(clip_len=4)(torch.randn(1, 6, 3, 32, 32), mode='tensor', stage='head')


def test_unknown_cell_is_refused():
    with pytest.raises(ValueError, match='lstm, input_cell_attention'):
        build(cell='gru')


@pytest.mark.parametrize('frozen', [True, False])
def test_frozen_cnn_stays_as_it_is(frozen):
    model = build(freeze_cnn=frozen)
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD((p for p in model.parameters() if p.requires_grad), lr=1.0)
    inputs = torch.randn(2, 3, 3, 32, 32)
    losses = model.loss(inputs, samples([0, 1]))
    losses['loss_cls'].backward()
    optimizer.step()
    changed = {name for name, value in model.state_dict().items() if not value.equal(before[name])}
    assert any(name.startswith('cls_head.fc_feature') for name in changed)
    assert any(name.startswith('backbone') for name in changed) is not frozen


def test_gradient_in_evaluation_mode():
    """Explanations need it; cuDNN would refuse it (see the head)."""
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    model = build(cell='input_cell_attention').eval().to(device)
    features = torch.randn(1, 6, 300, device=device, requires_grad=True)
    model.classify_sequence(features)[0, 0].backward()
    assert features.grad.abs().max() > 0


def test_mixed_precision_training_step():
    model = build(cell='input_cell_attention').train()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model.loss(torch.randn(2, 3, 3, 32, 32), samples([0, 2]))
    losses['loss_cls'].backward()
    assert torch.isfinite(losses['loss_cls'])
    assert all(
        torch.isfinite(p.grad).all() and p.grad.abs().max() > 0 for p in model.cls_head.parameters()
        if p.grad is not None and p.dim() > 1
    )  # fmt: skip


@pytest.mark.parametrize(
    ('backbone', 'channels'),
    [
        (dict(type='MobileNetV2', out_indices=(7,)), 1280),
        (dict(type='ResNet', depth=50), 2048),
        (dict(type='ResNetCBAM', depth=18), 512),
    ],
)
def test_any_2d_backbone(backbone, channels):
    model = _build_with(backbone, channels)
    assert model(torch.randn(1, 2, 3, 64, 64), mode='tensor', stage='head').shape == (1, 3)


def _build_with(backbone, channels):
    head = dict(type='CNNLSTMHead', num_classes=3, in_channels=channels)
    return MODELS.build(dict(type='CNNLSTMRecognizer', backbone=backbone, cls_head=head)).eval()


class TestCBAM:
    def test_is_channel_then_spatial_gate(self):
        torch.manual_seed(0)
        gate = CBAM(8, reduction=4, kernel_size=3)
        x = torch.randn(2, 8, 5, 6)
        squeeze = lambda v: gate.channel(v[:, :, None, None])[:, :, 0, 0]  # noqa: E731
        channel = torch.sigmoid(squeeze(x.mean((2, 3))) + squeeze(x.amax((2, 3))))
        gated = x * channel[:, :, None, None]
        planes = torch.stack([gated.mean(1), gated.amax(1)], dim=1)
        expected = gated * torch.sigmoid(gate.spatial(planes))
        torch.testing.assert_close(gate(x), expected)

    @pytest.mark.parametrize('depth', [18, 50])
    def test_weights_of_the_plain_resnet_load(self, depth):
        plain = MODELS.build(dict(type='ResNet', depth=depth))
        gated = MODELS.build(dict(type='ResNetCBAM', depth=depth))
        result = gated.load_state_dict(plain.state_dict(), strict=False)
        assert not result.unexpected_keys
        assert result.missing_keys
        assert all('.cbam.' in key for key in result.missing_keys)

    @pytest.mark.parametrize('depth', [18, 50])
    def test_open_gates_give_the_plain_resnet(self, depth):
        torch.manual_seed(0)
        plain = MODELS.build(dict(type='ResNet', depth=depth))
        gated = MODELS.build(dict(type='ResNetCBAM', depth=depth))
        gated.load_state_dict(plain.state_dict(), strict=False)
        plain.train(False)
        gated.train(False)
        for module in gated.modules():
            if isinstance(module, CBAM):  # sigmoid(0) twice is a quarter: undo it
                module.forward = lambda x: x
        x = torch.randn(1, 3, 64, 64)
        torch.testing.assert_close(gated(x), plain(x))


@pytest.mark.parametrize(
    'path', sorted((ROOT / 'configs' / 'kth').glob('cnnlstm*.py')), ids=lambda path: path.stem
)
def test_configs_build(path):
    config = Config.fromfile(path)
    model = MODELS.build(config.model)
    assert isinstance(model, Recognizer2D)
    assert model.cls_head.num_classes == 2
    head = model.cls_head
    assert head.fc_feature.in_features == head.in_channels
    clip_len = head.clip_len
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        sampler = [s for s in config[name].dataset.pipeline if s.type == 'SampleFrames']
        assert sampler[0].clip_len == clip_len
