"""frame_saliency.py: its maps and times against direct calculations, and its files."""

import av
import decord
import mmcv
import numpy as np
import pandas as pd
import pytest
import torch
from captum.attr import Saliency
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner.checkpoint import save_checkpoint
from PIL import Image

from mmsal.explain import load_recognizer, predict_video
from mmsal.heatmaps import read_heatmaps

pytestmark = pytest.mark.usefixtures('one_thread')
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
PICTURES = ('.time.csv', '.strip.png', '.time.png', '.mp4')
RANGES = {'1-40': (0, 40), '51-90': (50, 90)}


@pytest.fixture
def video(clips):
    return clips / 'person02_running_d1_uncomp.avi'


@pytest.fixture(scope='module')
def model(config_path, checkpoint_path):
    return load_recognizer(config_path, checkpoint_path, 'cpu')


@pytest.fixture
def saliency(command, config_path, checkpoint_path, tmp_path):
    """Run the command into tmp_path/out: exit code, stdout, stderr."""

    def call(video, *options, network=(config_path, checkpoint_path)):
        words = ('--out-dir', tmp_path / 'out', '--device', 'cpu', '--workers', 0, *options)
        return command('saliency/frame_saliency.py', *network, video, *words)

    return call


def clip_of(video, frames):
    """Decoded, resized and normalised without our pipeline: [T, 3, H, W]."""
    pictures = decord.VideoReader(str(video)).get_batch(list(frames)).asnumpy()
    small = np.stack([mmcv.imresize(picture, (64, 48)) for picture in pictures]).astype(float)
    return torch.from_numpy((small - MEAN) / STD).permute(0, 3, 1, 2).float()


def scores(model, clip):
    """Of [N, T, 3, H, W]: logits [N, K], by the network's layers rather than its head."""
    features = model.cls_head.fc_feature(model.backbone(clip.flatten(0, 1)).mean(dim=(2, 3)))
    return model.classify_sequence(features.unflatten(0, clip.shape[:2]))


def gradient_of(model, clip, target):
    """|gradient|, [T, 3, H, W], by captum."""
    leaf = clip[None].clone().requires_grad_(True)
    return Saliency(lambda one: scores(model, one)).attribute(leaf, target=target)[0].double()


def stretched(values):
    return (values - values.min()) / (values.max() - values.min())


def files_of(tmp_path, video, suffix='.txt'):
    stem = tmp_path / 'out' / video.stem
    return read_heatmaps(f'{stem}{suffix}'), pd.read_csv(f'{stem}.time.csv')


def test_gradients_of_two_ranges(saliency, video, tmp_path, model):
    options = ['--frames', ','.join(RANGES), '--space', 'input', '--decimals', 8]
    status, printed, errors = saliency(video, *options)
    assert status == 0, errors
    maps, table = files_of(tmp_path, video)
    expected = predict_video(model, video, [*RANGES.values()])
    assert f'prediction: {expected.label} ({expected.score:.4f})' in printed
    assert maps.meta['method'] == 'input_gradient'
    for start, end in RANGES.values():
        inside = (maps.frame_indices >= start) & (maps.frame_indices < end)
        assert inside.sum() == 8
        gradient = gradient_of(model, clip_of(video, maps.frame_indices[inside]), expected.top)
        truth = stretched(gradient.sum(dim=1).numpy())
        np.testing.assert_allclose(maps.values[inside], truth, atol=2e-3)
    assert list(table) == ['frame', 'time_s', 'share', 'contribution', 'chosen']
    assert table['frame'].tolist() == maps.frame_indices.tolist()
    # 25 frames per second; the decoder's own timestamps are of single precision.
    np.testing.assert_allclose(table['time_s'], maps.frame_indices / 25, atol=1e-3)
    sums = maps.values.sum(axis=(1, 2), dtype=float)
    np.testing.assert_allclose(table['share'], sums / sums.sum(), rtol=1e-4)
    assert table[['contribution', 'chosen']].isna().all(axis=None)
    check_pictures(tmp_path / 'out', video.stem, frames=16, size=(64, 48))


def check_pictures(folder, stem, frames, size):
    assert {path.name for path in folder.iterdir()} == {
        'manifest.csv', 'settings.json', f'{stem}.txt', f'{stem}.txt.json',
        *(f'{stem}{suffix}' for suffix in PICTURES),
    }  # fmt: skip
    for suffix in ('.strip.png', '.time.png'):
        with Image.open(folder / f'{stem}{suffix}') as picture:
            assert np.asarray(picture.convert('L')).std() > 10
    with av.open(str(folder / f'{stem}.mp4')) as container:
        shown = [(frame.width, frame.height) for frame in container.decode(video=0)]
    assert shown == [size] * frames


def direct_rescaling(model, clip, target, side, quantile):
    """Times [T], chosen [T] and map [T, H, W], hiding one thing after the other behind zeros."""
    whole = gradient_of(model, clip, target)

    def change(frame, rows=slice(None), columns=slice(None)):
        hidden = clip.clone()
        hidden[frame, :, rows, columns] = 0
        return float((gradient_of(model, hidden, target) - whole).abs().sum())

    times = stretched(np.array([change(frame) for frame in range(len(clip))]))
    chosen = times > np.quantile(times, quantile)
    maps = np.full((len(clip), *clip.shape[-2:]), 0.1)
    for frame in np.flatnonzero(chosen):
        for top in range(0, clip.shape[2], side):
            for left in range(0, clip.shape[3], side):
                patch = slice(top, top + side), slice(left, left + side)
                maps[frame][patch] = change(frame, *patch)
        maps[frame] = stretched(maps[frame])
    return times, chosen, times[:, None, None] * maps


def test_rescaling_as_a_direct_loop(saliency, video, tmp_path, model):
    options = ['--method', 'tsr', '--tsr-of', 'gradient', '--patch-size', 16, '--mask-value', 0]
    options += ['--quantile', 0.7, '--space', 'input', '--target-category', 'running']
    status, printed, errors = saliency(video, *options, '--format', 'npz')
    assert status == 0, errors
    assert 'tsr of 8 frames' in printed
    maps, table = files_of(tmp_path, video, '.npz')
    clip = clip_of(video, maps.frame_indices)
    times, chosen, truth = direct_rescaling(model, clip, 1, side=16, quantile=0.7)
    assert 0 < chosen.sum() < 8
    np.testing.assert_allclose(table['contribution'], times, atol=3e-3)
    assert table['chosen'].tolist() == chosen.tolist()
    np.testing.assert_allclose(maps.values, stretched(truth), atol=5e-3)
    told = maps.meta['method_options']
    assert (told['of'], told['mask_value'], told['form']) == ('input_gradient', 0, 'official')


def test_options_of_the_attribution_within(saliency, video, tmp_path):
    options = ['--method', 'tsr', '--tsr-of', 'smoothgrad', '--patch-size', 24]
    options += ['--form', 'paper', '--mask-value', 'mean']
    options += ['--samples', 1, '--noise', 0.1, '--seed', 4, '--memory', 0.5]
    status, _, errors = saliency(video, *options)
    assert status == 0, errors
    maps, table = files_of(tmp_path, video)
    assert maps.meta['method_options'] == {
        'of': 'smoothgrad', 'patch_size': 24, 'mask_value': 'mean', 'quantile': 0.55,
        'form': 'paper', 'exact': False, 'memory': 0.5, 'samples': 1, 'noise': 0.1, 'seed': 4,
    }  # fmt: skip
    # The paper's form: nothing in the frames that were not looked into.
    lit = maps.values.reshape(8, -1).max(axis=1) > 0
    assert lit.tolist() == table['chosen'].tolist()
    assert lit.sum() == 4  # strictly above the 0.55 quantile of eight


def test_any_recognizer_in_batches_of_a_list(saliency, clips, tmp_path, config_path):
    """A 2-D recognizer without recurrence, three crops of each frame, two ranges."""
    steps = [dict(step) for step in Config.fromfile(config_path).test_dataloader.dataset.pipeline]
    steps.insert(5, dict(type='ThreeCrop', crop_size=48))
    path = tmp_path / 'tsn.py'
    path.write_text(f"""
_base_ = [{str(config_path)!r}]
model = dict(
    type='Recognizer2D',
    cls_head=dict(_delete_=True, type='TSNHead', num_classes=2, in_channels=128),
)
test_dataloader = dict(dataset=dict(pipeline={steps!r}))
""")
    torch.manual_seed(5)
    network = MODELS.build(Config.fromfile(path).model)
    save_checkpoint({'state_dict': network.state_dict()}, str(path.with_suffix('.pth')))
    names = [f'person{person}_walking_d1_uncomp' for person in ('01', '02')]
    listed = tmp_path / 'list.txt'
    listed.write_text(''.join(f'{clips / name}.avi frames 1-40, 51-90\n' for name in names))
    options = ['--method', 'smoothgrad', '--samples', 2]
    network = (path, path.with_suffix('.pth'))
    tables = []
    for size in (1, 4):
        options_now = [*options, '--batch-size', size, '--overwrite']
        status, printed, errors = saliency(listed, *options_now, network=network)
        assert status == 0, errors
        assert '2 of 2 videos' in printed
        tables.append([pd.read_csv(tmp_path / 'out' / f'{name}.time.csv') for name in names])
    for alone, batched in zip(*tables, strict=True):
        assert len(alone) == 16 and alone['share'].sum() == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose(alone['share'], batched['share'], atol=1e-5)


def test_a_second_run_goes_on(saliency, clips, video, tmp_path):
    listed, out = tmp_path / 'list.txt', tmp_path / 'out'
    names = ('person01_walking_d1_uncomp', video.stem)
    listed.write_text(''.join(f'{clips / name}.avi\n' for name in (*names, 'gone')))
    status, printed, errors = saliency(listed)
    assert status == 3
    assert f'failed: {clips}/gone.avi' in errors and '2 of 3 videos' in printed
    rows = pd.read_csv(out / 'manifest.csv')
    assert rows['status'].tolist() == ['done', 'done', 'failed']

    written = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    assert {f'{name}{suffix}' for name in names for suffix in ('.txt', *PICTURES)} < set(written)
    for suffix in PICTURES:  # each of them alone
        (out / f'{video.stem}{suffix}').unlink()
        assert saliency(listed)[0] == 3
        now = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
        assert now.keys() == written.keys()
        again = {name for name in now if now[name] != written[name] and name.startswith('person')}
        assert again and all(name.startswith(video.stem) for name in again)
        written = now

    # A default that is spelt out is nothing new; another method is.
    before = (out / f'{video.stem}.mp4').stat().st_mtime_ns
    assert saliency(listed, '--method', 'input_gradient')[0] == 3
    assert (out / f'{video.stem}.mp4').stat().st_mtime_ns == before
    status, _, errors = saliency(listed, '--method', 'smoothgrad')
    assert status == 2 and 'smoothgrad' in errors and errors.count('\n') == 1


BAD = {
    'method': (['--method', 'magic'], 'expected method to be one of'),
    'of': (['--method', 'tsr', '--tsr-of', 'gradcam'], 'expected of to be one of input_gradient'),
    'of alone': (['--tsr-of', 'smoothgrad'], '--tsr-of is for --method tsr, not gradient'),
    'option of another': (['--patch-size', '8'], "input_gradient to be none, got 'patch_size'"),
    'option within': (['--method', 'tsr', '--samples', '8'], "got 'samples'"),
    'patch': (['--method', 'tsr', '--patch-size', '0'], 'patch_size to be a whole number'),
    'mask': (['--method', 'tsr', '--mask-value', 'last'], "or a number, got 'last'"),
    'mask nan': (['--method', 'tsr', '--mask-value', 'nan'], 'or a number, got nan'),
    'quantile': (['--method', 'tsr', '--quantile', '1'], 'quantile from 0 to below 1'),
    'form': (['--method', 'tsr', '--form', 'print'], 'official, paper'),
    'memory': (['--method', 'tsr', '--memory', '0'], 'memory'),
    'samples': (['--method', 'smoothgrad', '--samples', '0'], 'samples to be a whole number'),
    'steps': (['--method', 'integrated_gradients', '--steps', 'many'], 'many'),
    'class': (['--target-category', 'flying'], 'flying'),
    'frames': (['--frames', '9-3'], 'frame ranges'),
    'frames beyond': (['--frames', '1-40,9001-9030'], 'no frame in common'),
    'stride': (['--stride', '0'], 'stride of at least 1'),
    'decimals': (['--decimals', '0'], 'decimals'),
    'alpha': (['--alpha', '2'], 'alpha from 0 to 1'),
    'colormap': (['--colormap', 'mud'], 'mud'),
    'batch': (['--batch-size', '0'], 'batch size'),
    'device': (['--device', 'abacus'], 'abacus'),
    'cfg': (['--cfg-options', 'model'], '--cfg-options KEY=VALUE'),
}


@pytest.mark.parametrize(('options', 'words'), BAD.values(), ids=BAD)
def test_bad_options_are_one_line(saliency, video, tmp_path, options, words):
    check_refused(*saliency(video, *options)[::2], words, tmp_path)


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


def test_one_video_that_cannot_be_explained_is_an_error(saliency, video, tmp_path, config_path):
    """Three crops have no one map in the input's pixels, which only the explained video tells."""
    steps = [dict(step) for step in Config.fromfile(config_path).test_dataloader.dataset.pipeline]
    steps.insert(5, dict(type='ThreeCrop', crop_size=48))
    path = tmp_path / 'crops.py'
    path.write_text(
        f'_base_ = [{str(config_path)!r}]\n'
        f'test_dataloader = dict(dataset=dict(pipeline={steps!r}))\n'
    )
    torch.manual_seed(5)
    network = MODELS.build(Config.fromfile(path).model)
    save_checkpoint({'state_dict': network.state_dict()}, str(path.with_suffix('.pth')))
    network = (path, path.with_suffix('.pth'))
    status, printed, errors = saliency(video, '--space', 'input', network=network)
    assert status == 2 and 'prediction' not in printed
    assert errors.splitlines()[-1].startswith('error: ') and 'shows 3 crops' in errors
    assert {path.name for path in (tmp_path / 'out').iterdir()} == {'manifest.csv', 'settings.json'}
