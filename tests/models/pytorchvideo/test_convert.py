"""Weights from PyTorchVideo's names to MMAction2's: all of them, of that network, or none."""

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader

from mmsal import compat
from mmsal.explain import load_config
from mmsal.models import load_pytorchvideo_state_dict
from mmsal.models.pytorchvideo import (
    NETWORKS,
    ConversionError,
    as_mmaction,
    check_fit,
    check_start,
    convert_state_dict,
    read_local_checkpoint,
)
from mmsal.models.pytorchvideo.identify import network_name

from .published import CONFIGS, KINETICS, KTH, hub, our_network, published_network

OTHERS = {
    'slow_r50': 'Slow R50', 'c2d_r50': 'C2D R50', 'x3d_xs': 'X3D-XS, -S or -M',
    'x3d_s': 'X3D-XS, -S or -M', 'x3d_m': 'X3D-XS, -S or -M', 'slowfast_r50': 'SlowFast R50 8x8',
    'slowfast_r101': 'SlowFast R101 8x8', 'csn_r101': 'CSN R101', 'r2plus1d_r50': 'R(2+1)D R50',
    'mvit_base_16x4': 'no network of PyTorchVideo',
}  # fmt: skip


@pytest.fixture(scope='module')
def weights() -> dict[str, dict]:
    """State dicts of PyTorchVideo's three networks."""
    return {network: published_network(network).state_dict() for network in NETWORKS}


@pytest.mark.parametrize('network', NETWORKS)
def test_every_weight_has_a_name_in_the_model_and_back(weights, network):
    found, converted = convert_state_dict(weights[network], network)
    assert found == network
    assert len(converted) == len(weights[network])
    assert set(converted) == set(our_network(network).state_dict())


@pytest.mark.parametrize('name', OTHERS)
def test_other_networks_are_refused_and_named(name):
    other = getattr(hub(), name)(pretrained=False).state_dict()
    assert network_name(other) == OTHERS[name]
    with pytest.raises(ConversionError) as refusal:
        convert_state_dict(other)
    assert OTHERS[name] in str(refusal.value) and 'I3D R50 8x8' in str(refusal.value)


def test_weights_of_nothing_known_are_refused():
    for other in ({}, {'conv1.weight': torch.zeros(1)}, {'blocks.0.weight': torch.zeros(1)}):
        with pytest.raises(ConversionError):
            convert_state_dict(other)
        with pytest.raises(ConversionError):
            load_pytorchvideo_state_dict(torch.nn.Linear(1, 1), other)


def test_another_of_the_three_is_refused_and_named(weights):
    with pytest.raises(ConversionError, match=r'those of X3D-L 16x5, not of I3D R50 8x8'):
        convert_state_dict(weights['x3d_l'], 'i3d_r50')
    with pytest.raises(ConversionError, match=r"expected network i3d_r50, .*, got 'tsn'"):
        convert_state_dict(weights['x3d_l'], 'tsn')


@pytest.mark.parametrize('network', NETWORKS)
def test_a_weight_too_many_is_refused(weights, network):
    surplus = {**weights[network], 'blocks.1.res_blocks.0.branch3.weight': torch.zeros(1)}
    with pytest.raises(ConversionError, match=r'no weight blocks\.1\.res_blocks\.0\.branch3'):
        convert_state_dict(surplus)
    deeper = 'blocks.4.res_blocks.40.branch2.conv_a.weight'
    if network == 'x3d_l':  # a name that X3D's rules know: the model says that it has no such block
        with pytest.raises(ConversionError, match=r'the model lacks 1 of 1142 weights.*layer4\.40'):
            load_pytorchvideo_state_dict(
                our_network(network), {**weights[network], deeper: torch.zeros(1, 1, 1, 1, 1)}
            )


@pytest.mark.parametrize('network', NETWORKS)
def test_a_weight_too_few_is_refused_and_nothing_is_loaded(weights, network):
    lost = next(name for name in weights[network] if 'conv_c.weight' in name)
    rest = {name: tensor for name, tensor in weights[network].items() if name != lost}
    model = our_network(network)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ConversionError, match=r'the checkpoint lacks 1 of \d+ weights, such as'):
        load_pytorchvideo_state_dict(model, rest)
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())


def test_counters_of_batches_may_be_absent(weights):
    """Old checkpoints have none."""
    rest = {k: v for k, v in weights['i3d_r50'].items() if 'num_batches_tracked' not in k}
    assert load_pytorchvideo_state_dict(our_network('i3d_r50'), rest) == []


def test_a_weight_of_another_shape_is_refused(weights):
    changed = {**weights['i3d_r50'], 'blocks.0.conv.weight': torch.zeros(64, 1, 5, 7, 7)}
    with pytest.raises(ConversionError, match=r'conv1\.conv\.weight is \[64, 1, 5, 7, 7\]'):
        load_pytorchvideo_state_dict(our_network('i3d_r50'), changed)


@pytest.mark.parametrize('network', NETWORKS)
def test_the_classifier_stays_the_models_own_where_classes_differ(weights, network):
    model = our_network(network, KTH)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    kept = load_pytorchvideo_state_dict(model, {'model_state': weights[network]})
    assert len(kept) == 2 and all(name.startswith('cls_head.fc') for name in kept)
    _, converted = convert_state_dict(weights[network])
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name] if name in kept else converted[name]), name


def test_another_number_of_classes_can_be_refused(weights):
    with pytest.raises(ConversionError, match=r'trained on 400 classes, the model .* has 2'):
        load_pytorchvideo_state_dict(our_network('i3d_r50', KTH), weights['i3d_r50'], False)


def test_as_many_classes_take_the_classifier_too():
    trained = published_network('x3d_l', model_num_class=2).state_dict()
    model = our_network('x3d_l', KTH)
    assert load_pytorchvideo_state_dict(model, trained) == []
    assert torch.equal(model.cls_head.fc2.weight, trained['blocks.5.proj.weight'])


@pytest.mark.parametrize('network', NETWORKS)
def test_a_model_of_another_network_is_refused(weights, network):
    other = 'i3d_r50' if network != 'i3d_r50' else 'slowfast_r101'
    _, converted = convert_state_dict(weights[network])
    with pytest.raises(ConversionError, match=f'those of {NETWORKS[network].title} and do not fit'):
        check_fit(our_network(other), network, converted)


# --- files -------------------------------------------------------------------------------------


def test_a_published_file_is_read_in_our_names(weights, tmp_path):
    file = tmp_path / 'I3D_8x8_R50.pyth'
    torch.save({'model_state': weights['i3d_r50'], 'epoch': 196, 'cfg': 'TRAIN:\n'}, file)
    checkpoint = read_local_checkpoint(file)
    assert checkpoint['meta'] == {'pytorchvideo': 'i3d_r50'}
    assert set(checkpoint['state_dict']) == set(our_network('i3d_r50').state_dict())


def test_applying_the_workarounds_again_keeps_the_reader(weights, tmp_path):
    compat.apply()
    file = tmp_path / 'X3D_L.pyth'
    torch.save({'model_state': weights['x3d_l']}, file)
    checkpoint = CheckpointLoader.load_checkpoint(str(file), map_location='cpu', logger='silent')
    assert checkpoint['meta'] == {'pytorchvideo': 'x3d_l'}


def test_a_file_of_another_network_is_named_with_the_file(tmp_path):
    torch.save({'model_state': hub().slow_r50(pretrained=False).state_dict()}, tmp_path / 'x.pyth')
    with pytest.raises(ConversionError, match=r'x\.pyth: the weights are those of Slow R50'):
        read_local_checkpoint(tmp_path / 'x.pyth')


WRAPPINGS = {
    'as published': lambda weights: {'model_state': weights},
    'bare': lambda weights: weights,
    'under state_dict': lambda weights: {'state_dict': weights},
    'of a parallel wrapper': lambda weights: {
        'model_state': {f'module.{name}': tensor for name, tensor in weights.items()}
    },
    'of a Lightning module': lambda weights: {
        'state_dict': {f'model.{name}': tensor for name, tensor in weights.items()}
    },
}


@pytest.mark.parametrize('wrap', WRAPPINGS.values(), ids=WRAPPINGS)
def test_weights_are_found_however_they_were_saved(weights, wrap):
    found = as_mmaction(wrap(weights['x3d_l']))
    assert found['meta'] == {'pytorchvideo': 'x3d_l'}
    assert set(found['state_dict']) == set(our_network('x3d_l').state_dict())


def test_names_of_vision_transformers_are_left_alone():
    """timm's, and MMAction2's VideoMAE, have blocks with numbers too."""
    theirs = {'model': 3, 'blocks.0.norm1.weight': torch.ones(1), 'blocks.0.attn.qkv.weight': 0}
    assert as_mmaction(theirs) is theirs
    nested = {'state_dict': theirs}
    assert as_mmaction(nested) is nested


def test_a_start_of_mmactions_must_have_the_whole_backbone():
    model = our_network('x3d_l', KTH)
    own = model.state_dict()
    assert check_start(model, {'state_dict': own}, 'x.pth') == []
    headless = {name: own[name] for name in own if name.startswith('backbone')}
    assert check_start(model, headless, 'x.pth') == []
    wrapped = {f'module.{name}': tensor for name, tensor in headless.items()}
    assert check_start(model, {'state_dict': wrapped}, 'x.pth') == []
    for other in ({'backbone.conv1.weight': torch.ones(1)},
                  {**own, 'backbone.conv5.conv.weight': torch.ones(1)},
                  our_network('i3d_r50', KTH).state_dict()):  # fmt: skip
        with pytest.raises(ConversionError, match=r'checkpoint x\.pth: \d+ of \d+ weights of the'):
            check_start(model, {'state_dict': other}, 'x.pth')


def test_checkpoints_of_others_are_left_as_they_are(tmp_path):
    for number, content in enumerate(({'state_dict': {'a': torch.ones(1)}}, [torch.ones(1)])):
        torch.save(content, tmp_path / f'{number}.pth')
        assert type(read_local_checkpoint(tmp_path / f'{number}.pth')) is type(content)


@pytest.mark.parametrize('network', NETWORKS)
def test_an_absent_published_file_says_where_it_is(network):
    file = NETWORKS[network].file
    with pytest.raises(FileNotFoundError) as refusal:
        read_local_checkpoint(f'checkpoints/{file}')
    message = str(refusal.value)
    assert f'https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics/{file}' in message
    assert NETWORKS[network].title in message and 'load_from' in message
    assert '\n' not in message


def test_an_absent_other_file_says_so():
    with pytest.raises(FileNotFoundError, match=r'^checkpoint mine\.pth does not exist$'):
        read_local_checkpoint('mine.pth')


def test_every_fine_tuning_config_starts_from_its_published_file():
    for network, config in KTH.items():
        assert load_config(CONFIGS / config).load_from == f'checkpoints/{NETWORKS[network].file}'
    assert set(KTH) == set(KINETICS) == set(NETWORKS)
