"""feature_saliency.py: matrices of features over time, one network or two side by side."""

import csv
import json

import decord
import mmcv
import numpy as np
import pytest
import torch
from captum.attr import Saliency
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner.checkpoint import save_checkpoint
from PIL import Image

from mmsal.explain import load_recognizer, predict_video
from mmsal.visualization.feature_plot import (
    FeaturePanel,
    draw_features,
    feature_order,
    time_share,
)
from tests.attribution.tsr.test_features import published_rescaling

pytestmark = pytest.mark.usefixtures('one_thread')
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
RANGES = '1-40,51-90'
ARRAYS = {'saliency', 'rescaled', 'time', 'frame_indices', 'target', 'label', 'meta'}


def save_network(path, base, changes, classes=('walking', 'running')):
    """A config that changes another one, and random weights for it: paths of both."""
    path.write_text(f'_base_ = [{str(base)!r}]\n{changes}\n')
    torch.manual_seed(5)
    model = MODELS.build(Config.fromfile(path).model)
    meta = {'dataset_meta': {'classes': classes}}
    save_checkpoint({'state_dict': model.state_dict(), 'meta': meta}, str(path.with_suffix('.pth')))
    return path, path.with_suffix('.pth')


@pytest.fixture
def attention(tmp_path, config_path):
    changes = "model = dict(cls_head=dict(cell='input_cell_attention', attention_hops=3))"
    return save_network(tmp_path / 'attention.py', config_path, changes)


@pytest.fixture
def video(clips):
    return clips / 'person02_running_d1_uncomp.avi'


@pytest.fixture
def saliency(command, config_path, checkpoint_path, tmp_path):
    """Run the command into tmp_path/out: exit code, stdout, stderr."""

    def call(video, *options, network=(config_path, checkpoint_path)):
        out = ('--out-dir', tmp_path / 'out', '--device', 'cpu')
        return command('saliency/feature_saliency.py', *network, video, *out, *options)

    return call


def read(path) -> dict:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def features_of(model, video, frames):
    """Decoded, resized, normalised and sent through the CNN without our pipeline: [T, D]."""
    pictures = decord.VideoReader(str(video)).get_batch(list(frames)).asnumpy()
    small = np.stack([mmcv.imresize(picture, (64, 48)) for picture in pictures]).astype(float)
    inputs = torch.from_numpy((small - MEAN) / STD).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        return model.cls_head.fc_feature(model.backbone(inputs).mean(dim=(2, 3)))


def test_a_matrix_for_each_range_of_frames(saliency, video, tmp_path, config_path, checkpoint_path):
    status, printed, errors = saliency(video, '--frames', RANGES)
    assert status == 0, errors
    found = read(tmp_path / 'out' / f'{video.stem}.npz')
    assert set(found) == ARRAYS
    assert found['saliency'].shape == found['rescaled'].shape == (2, 8, 16)
    assert found['time'].shape == found['frame_indices'].shape == (2, 8)
    assert (np.diff(found['frame_indices']) == 2).all()
    for (first, last), frames in zip([(0, 40), (50, 90)], found['frame_indices'], strict=True):
        assert first <= frames.min() and frames.max() < last

    model = load_recognizer(config_path, checkpoint_path, 'cpu')
    expected = predict_video(model, video, [(0, 40), (50, 90)])
    meta = json.loads(str(found['meta']))
    assert int(found['target']) == expected.top and str(found['label']) == expected.label
    assert meta['predictions'] == expected.ranked(5)
    assert meta['frame_ranges'] == [[0, 40], [50, 90]]
    assert f'prediction: {expected.label} ({expected.score:.4f})' in printed
    # 25 frames per second; decord's own timestamps are of single precision.
    np.testing.assert_allclose(meta['timestamps'], found['frame_indices'] / 25, atol=1e-3)

    for clip, frames in enumerate(found['frame_indices']):
        sequence = features_of(model, video, frames)
        leaf = sequence[None].clone().requires_grad_(True)
        gradient = Saliency(model.classify_sequence).attribute(leaf, target=expected.top)[0]
        largest = float(gradient.max())
        np.testing.assert_allclose(
            found['saliency'][clip], gradient, rtol=1e-3, atol=1e-4 * largest
        )
        rescaled, time = published_rescaling(
            model, sequence, expected.top, 'first', 0.55, 'official'
        )
        np.testing.assert_allclose(found['time'][clip], time, atol=2e-3)
        np.testing.assert_allclose(found['rescaled'][clip], rescaled, atol=5e-3)


def test_class_and_options_are_obeyed(saliency, video, tmp_path, config_path, checkpoint_path):
    path = tmp_path / 'out' / f'{video.stem}.npz'
    model = load_recognizer(config_path, checkpoint_path, 'cpu')
    options = ['--form', 'paper', '--mask-value', 0.5, '--quantile', 0.8, '--overwrite']
    for target, name in enumerate(('walking', 'running')):
        status, _, errors = saliency(video, '--target-category', name, *options)
        assert status == 0, errors
        found = read(path)
        assert (int(found['target']), str(found['label'])) == (target, name)
        meta = json.loads(str(found['meta']))
        assert (meta['mask_value'], meta['form'], meta['quantile']) == (0.5, 'paper', 0.8)
        sequence = features_of(model, video, found['frame_indices'][0])
        expected, time = published_rescaling(model, sequence, target, 0.5, 0.8, 'paper')
        for ours, theirs in ((found['rescaled'][0], expected), (found['time'][0], time)):
            np.testing.assert_allclose(ours, theirs, rtol=5e-3, atol=5e-3 * np.max(theirs))
        assert np.count_nonzero(expected.sum(axis=1)) == 2  # above 0.8 of 8 frames


def test_several_clips_and_crops_give_a_matrix_each(saliency, video, tmp_path, config_path):
    steps = Config.fromfile(config_path).test_dataloader.dataset.pipeline
    steps = [dict(step) for step in steps]
    steps[2]['num_clips'] = 2
    steps.insert(5, dict(type='ThreeCrop', crop_size=48))
    changes = f'test_dataloader = dict(dataset=dict(pipeline={steps!r}))'
    network = save_network(tmp_path / 'crops.py', config_path, changes)
    status, _, errors = saliency(video, network=network)
    assert status == 0, errors
    found = read(tmp_path / 'out' / f'{video.stem}.npz')
    assert found['saliency'].shape == (6, 8, 16)
    frames = found['frame_indices']
    assert (frames[0::2] == frames[0]).all() and (frames[1::2] == frames[1]).all()
    assert frames[0].max() < frames[1].min()
    assert not np.allclose(found['saliency'][0], found['saliency'][2])


def test_two_networks_side_by_side(saliency, video, attention, tmp_path):
    path = tmp_path / 'out' / f'{video.stem}.npz'
    assert saliency(video, network=attention)[0] == 0
    alone, (_, height) = read(path), picture_size(path.with_suffix('.png'))
    status, _, errors = saliency(video, '--beside', *attention, '--overwrite')
    assert status == 0, errors
    both = read(path)
    assert set(both) == ARRAYS | {f'beside_{name}' for name in ARRAYS}
    assert int(both['target']) == int(both['beside_target'])
    assert json.loads(str(both['beside_meta']))['config'] == str(attention[0])
    model = load_recognizer(*attention, 'cpu')
    sequence = features_of(model, video, alone['frame_indices'][0])[None].requires_grad_(True)
    for found, prefix in ((alone, ''), (both, 'beside_')):
        target = int(found[f'{prefix}target'])
        expected = Saliency(model.classify_sequence).attribute(sequence, target=target)
        largest = float(expected.max())
        ours = found[f'{prefix}saliency']
        np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-4 * largest)
    assert not np.allclose(both['saliency'], both['beside_saliency'])
    assert picture_size(path.with_suffix('.png'))[1] > 1.3 * height


def picture_size(path):
    with Image.open(path) as picture:
        assert picture.format == 'PNG'
        assert np.asarray(picture.convert('L')).std() > 20  # there is something on it
        return picture.size


def test_a_second_run_goes_on(saliency, clips, video, tmp_path):
    listed = tmp_path / 'list.txt'
    names = ('person01_walking_d1_uncomp.avi', video.name)
    listed.write_text('\n'.join([*(str(clips / name) for name in names), 'gone.avi']) + '\n')
    status, printed, errors = saliency(listed)
    assert status == 3
    assert 'failed: gone.avi' in errors and '2 of 3 videos' in printed
    files = sorted((tmp_path / 'out').rglob('*.npz'))
    assert [path.stem for path in files] == sorted(name[:-4] for name in names)
    assert all(path.with_suffix('.png').is_file() for path in files)
    assert not list((tmp_path / 'out').rglob('.*'))
    with (tmp_path / 'out' / 'manifest.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['status'] for row in rows] == ['done', 'done', 'failed']

    files[1].with_suffix('.png').unlink()
    before = [path.stat().st_mtime_ns for path in files]
    assert saliency(listed)[0] == 3
    assert [path.stat().st_mtime_ns == time for path, time in zip(files, before, strict=True)] == [
        True,
        False,
    ]
    assert files[1].with_suffix('.png').is_file()

    # What was made otherwise is not passed off as this run's.
    status, _, errors = saliency(listed, '--quantile', 0.2)
    assert status == 2
    assert errors.startswith('error: ') and errors.count('\n') == 1
    assert 'quantile 0.55, not 0.2' in errors


BAD = {
    'mask': (['--mask-value', 'last'], 'mask_value'),
    'form': (['--form', 'print'], 'official, paper'),
    'quantile': (['--quantile', '1'], 'quantile'),
    'batch': (['--batch-size', '0'], 'batch size'),
    'class': (['--target-category', 'flying'], 'flying'),
    'frames': (['--frames', '9-3'], 'frame ranges'),
    'stride': (['--stride', '0'], 'stride of at least 1'),
    'device': (['--device', 'abacus'], 'abacus'),
    'beside': (['--beside', 'gone.py', 'gone.pth'], 'gone.py does not exist'),
    'option': (['--cfg-options', 'model'], '--cfg-options KEY=VALUE'),
}


@pytest.mark.parametrize(('options', 'words'), BAD.values(), ids=BAD)
def test_bad_options_are_one_line(saliency, video, tmp_path, options, words):
    status, _, errors = saliency(video, *options)
    check_refused(status, errors, words, tmp_path)


def check_refused(status, errors, words, tmp_path):
    assert status == 2
    assert errors.startswith('error: ') and errors.count('\n') == 1 and words in errors
    assert not (tmp_path / 'out').exists()


def test_bad_videos_are_one_line(saliency, video, tmp_path):
    check_refused(*saliency('gone.avi')[::2], 'gone.avi does not exist', tmp_path)
    half = tmp_path / 'half.avi'
    half.write_bytes(video.read_bytes()[:5000])
    check_refused(*saliency(half)[::2], 'half.avi', tmp_path)
    listed = tmp_path / 'list.txt'
    listed.write_text(f'{video}\n')
    check_refused(*saliency(listed, '--frames', '1-9')[::2], '--frames is for one', tmp_path)


def test_a_network_without_frame_features_is_refused(saliency, video, tmp_path, config_path):
    changes = """
model = dict(
    type='Recognizer2D',
    cls_head=dict(_delete_=True, type='TSNHead', num_classes=2, in_channels=128),
)"""
    network = save_network(tmp_path / 'tsn.py', config_path, changes)
    check_refused(
        *saliency(video, network=network)[::2], 'CNNLSTMRecognizer, not Recognizer2D', tmp_path
    )
    check_refused(*saliency(video, '--beside', *network)[::2], 'CNNLSTMRecognizer, not', tmp_path)


def test_networks_of_other_classes_are_not_compared(saliency, video, tmp_path, config_path):
    network = save_network(tmp_path / 'other.py', config_path, '', ('sitting', 'standing'))
    check_refused(
        *saliency(video, '--beside', *network)[::2], 'sitting, standing and walking', tmp_path
    )


# --- the picture ----------------------------------------------------------------------------------


def test_shares_of_frames():
    saliency = np.zeros((2, 4, 3), np.float32)
    saliency[0, 1, 2] = 1e-30
    saliency[0, 3, :2] = 1.5e-30
    np.testing.assert_allclose(time_share(saliency), [[0, 0.25, 0, 0.75], [0, 0, 0, 0]], rtol=1e-6)


def test_features_are_ordered_by_peak_and_size():
    saliency = np.zeros((1, 3, 4))
    saliency[0, 2, 0] = 9
    saliency[0, 0, 1] = 1
    saliency[0, 1, 2] = 2
    saliency[0, 0, 3] = 5
    assert feature_order(saliency).tolist() == [3, 1, 2, 0]


def panel(**changes):
    arrays = dict(
        saliency=np.zeros((1, 4, 3)), rescaled=np.zeros((1, 4, 3)), time=np.zeros((1, 4)),
        frame_indices=np.arange(4)[None],
    )  # fmt: skip
    return FeaturePanel('nothing', **{**arrays, **changes})


def test_saliency_of_nothing_can_be_drawn(tmp_path):
    draw_features([panel()], tmp_path / 'x.png')
    assert picture_size(tmp_path / 'x.png')[0] > 500


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(saliency=np.zeros((4, 3))), r'saliency \[C, T, D\]'),
        (dict(rescaled=np.zeros((1, 3, 4))), 'rescaled of shape'),
        (dict(time=np.zeros((1, 3))), 'time of shape'),
        (dict(frame_indices=np.arange(4)), 'frame_indices of shape'),
    ],
)
def test_matrices_that_do_not_fit_are_not_drawn(tmp_path, changes, words):
    with pytest.raises(ValueError, match=words):
        draw_features([panel(**changes)], tmp_path / 'x.png')
    with pytest.raises(ValueError, match='networks, got 0'):
        draw_features([], tmp_path / 'x.png')
