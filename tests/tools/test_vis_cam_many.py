"""vis_cam.py over many frames and methods; what effort it takes must not show in the maps."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mmsal.attribution import METHODS
from mmsal.datasets.video import read_frames
from mmsal.heatmaps import read_heatmaps
from tests.attribution.networks import ALL, build
from tests.tools.test_vis_cam import VIS_CAM, files_in, read_manifest

NAMES = [
    f'person{person}_{action}_d1_uncomp'
    for person in ('01', '02', '11')
    for action in ('running', 'walking')
]

pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture
def vis_cam(command, config_path, checkpoint_path):
    """Run vis_cam.py on the small recognizer: exit code, stdout, stderr."""

    def call(video, *options, config=config_path, checkpoint=checkpoint_path):
        words = [config, checkpoint, video, '--device', 'cpu', '--workers', 0, *options]
        return command(VIS_CAM, *words)

    return call


@pytest.fixture
def video(clips):
    return clips / 'person02_running_d1_uncomp.avi'


def write_list(path: Path, clips: Path, names=NAMES) -> Path:
    """A list of clips, the second of them in two ranges of frames."""
    lines = [f'{clips / name}.avi' for name in names]
    lines[1] += ' frames 1-40, 51-90'
    path.write_text('\n'.join(lines) + '\n')
    return path


def stamps(folder: Path, suffix: str = '.txt') -> dict[str, int]:
    """When each heatmap file was written."""
    return {path.name: path.stat().st_mtime_ns for path in sorted(folder.glob(f'*{suffix}'))}


# --- effort changes nothing ---------------------------------------------------------------------


@pytest.fixture
def plain(vis_cam, clips, tmp_path):
    """The list, and the folder that a run without any option fills."""
    listed = write_list(tmp_path / 'list.txt', clips)
    assert vis_cam(listed, '--file-url', tmp_path / 'plain')[0] == 0
    return listed, tmp_path / 'plain'


def test_workers_write_the_same_files(vis_cam, plain, tmp_path):
    listed, expected = plain
    status, _, errors = vis_cam(listed, '--file-url', tmp_path / 'w', '--workers', 2)
    assert status == 0, errors
    assert len(stamps(expected)) == len(NAMES)
    assert files_in(tmp_path / 'w') == files_in(expected)
    for name in files_in(expected) - {'manifest.csv'}:  # that has the seconds in it
        assert (tmp_path / 'w' / name).read_bytes() == (expected / name).read_bytes()
    assert list(read_manifest(tmp_path / 'w')) == [f'{name}.avi' for name in NAMES]


@pytest.mark.parametrize('options', [[], ['--workers', 2], ['--stride', 40]])
def test_batches_give_the_same_maps(vis_cam, plain, tmp_path, options):
    """Of clips of one video and of several; the last digit may differ."""
    listed, expected = plain
    if '--stride' in options:
        expected = tmp_path / 'strided'
        assert vis_cam(listed, '--file-url', expected, *options)[0] == 0
    batched = ['--batch-size', 3, *options]
    status, _, errors = vis_cam(listed, '--file-url', tmp_path / 'b', *batched)
    assert status == 0, errors
    for name in stamps(expected):
        one, other = (read_heatmaps(folder / name) for folder in (expected, tmp_path / 'b'))
        assert one.frame_indices.tolist() == other.frame_indices.tolist()
        np.testing.assert_allclose(one.values, other.values, rtol=0, atol=2e-6)
        assert one.meta['target_class'] == other.meta['target_class']
        assert len(one.meta['clips']) == len(other.meta['clips'])
    rows = [read_manifest(folder) for folder in (expected, tmp_path / 'b')]
    assert [*rows[0]] == [*rows[1]]
    assert all(float(row['seconds']) > 0 for row in rows[1].values())


@pytest.mark.parametrize(
    ('options', 'fault'),
    [
        (['--batch-size', 0], 'expected a batch size of at least 1, got 0'),
        (['--workers', -1], 'expected workers of at least 0, got -1'),
        (['--launcher', 'pytorch'], 'pytorch has not started this process'),
        (['--stride', 0], 'expected stride of at least 1 frame, got 0'),
        (['--window', 20], 'set both'),
    ],
)
def test_bad_numbers_are_refused(vis_cam, clips, tmp_path, monkeypatch, options, fault):
    monkeypatch.delenv('RANK', raising=False)
    listed = write_list(tmp_path / 'list.txt', clips)
    status, _, errors = vis_cam(listed, '--file-url', tmp_path / 'x', *options)
    assert status == 2 and fault in errors and errors.count('\n') == 1
    assert not (tmp_path / 'x').exists()


# --- long videos --------------------------------------------------------------------------------


def test_stride_dense_and_window(vis_cam, video, tmp_path):
    """The small config's clips are 8 frames, every other: 15 from the first to the last."""

    def maps_of(name, *options):
        words = ['--frames', '11-70', *options]  # from 10 up to 70, as we count
        status, _, errors = vis_cam(video, '--file-url', tmp_path / name, *words)
        assert status == 0, errors
        return read_heatmaps(tmp_path / name)

    strided = maps_of('strided.txt', '--stride', 20)
    firsts = [10, 30, 50, 55]
    sampled = sorted({frame for first in firsts for frame in range(first, first + 15, 2)})
    assert strided.frame_indices.tolist() == sampled
    assert [one['frame_range'] for one in strided.meta['clips']] == [[f, f + 15] for f in firsts]
    assert strided.meta['seen_frames'] is None

    dense = maps_of('dense.txt', '--stride', 20, '--dense')
    assert dense.frame_indices.tolist() == list(range(10, 70))
    assert dense.meta['seen_frames'] == sampled
    np.testing.assert_allclose(
        dense.values[np.array(sampled) - 10], strided.values, rtol=0, atol=1e-9
    )
    expected = (dense.values[2] + dense.values[4]) / 2
    np.testing.assert_allclose(dense.values[3], expected, rtol=0, atol=2e-6)

    windowed = maps_of('windowed.txt', '--stride', 30, '--window', 30)
    # The clip lies in the middle of each window.
    assert windowed.frame_indices.tolist() == [*range(17, 33, 2), *range(47, 63, 2)]


def test_a_list_goes_on_with_the_same_stride_only(vis_cam, clips, tmp_path):
    listed = write_list(tmp_path / 'list.txt', clips, NAMES[:2])
    base = ['--file-url', tmp_path / 'out']
    assert vis_cam(listed, *base, '--stride', 15, '--dense')[0] == 0
    before = stamps(tmp_path / 'out')
    assert vis_cam(listed, *base, '--stride', 15, '--dense')[0] == 0
    for options, words in (
        (['--stride', 15], 'dense True, not None'),
        (['--stride', 20, '--dense'], 'stride 15, not 20'),
        (['--dense'], 'stride 15, not None'),
    ):
        status, _, errors = vis_cam(listed, *base, *options)
        assert status == 2 and words in errors and errors.count('\n') == 1
    assert stamps(tmp_path / 'out') == before


def test_no_pictures_of_frames_between_in_the_input_space(vis_cam, clips, tmp_path):
    listed = write_list(tmp_path / 'list.txt', clips, NAMES[:2])
    words = ['--out-filename', tmp_path / 'out', '--dense', '--space', 'input']
    status, _, errors = vis_cam(listed, *words)
    assert status == 2 and 'no picture of the frames between' in errors


# --- methods ------------------------------------------------------------------------------------

OPTIONS = {
    'integrated_gradients': (['steps=2'], {'steps': 2}),
    'smoothgrad': (['samples=2', 'noise=0.1', 'seed=3'], {'samples': 2, 'noise': 0.1, 'seed': 3}),
    'occlusion': (['window=8,24,32'], {'window': [8, 24, 32]}),
    'tsr': (['patch_size=40'], {'patch_size': 40}),
}


@pytest.mark.parametrize('method', [one for one in METHODS if one != 'attention_rollout'])
def test_methods(vis_cam, video, tmp_path, method):
    words, options = OPTIONS.get(method, ([], {}))
    words = ['--method-options', *words] if words else []
    out = tmp_path / 'x.txt'
    status, printed, errors = vis_cam(video, '--file-url', out, '--method', method, *words)
    assert (status, errors) == (0, '')
    maps = read_heatmaps(out)
    assert maps.values.shape == (8, 120, 160)
    assert maps.values.min() < 0.2 and 0.5 < maps.values.max() <= 1
    assert (maps.meta['method'], maps.meta['method_options']) == (method, options)
    looks_at_input = method in ('input_gradient', *OPTIONS)
    assert maps.meta['target_layers'] == ([] if looks_at_input else ['backbone/layer2'])
    assert (f'method: {method}' if looks_at_input else 'target layer: backbone/layer2') in printed


def test_there_are_eleven_methods():
    assert len(set(METHODS)) == 11


@pytest.fixture
def transformer(tmp_path, config_path):
    """Config and checkpoint of a small VideoMAE."""
    from mmengine.runner.checkpoint import save_checkpoint

    config, checkpoint = tmp_path / 'videomae.py', tmp_path / 'videomae.pth'
    config.write_text(
        f'_base_ = [{str(config_path)!r}]\n'
        f'model = dict(_delete_=True, **{ALL["videomae"]!r})\n'
        "test_pipeline = [\n    dict(type='DecordInit'),\n"
        "    dict(type='SampleFrames', clip_len=8, frame_interval=2, test_mode=True),\n"
        "    dict(type='DecordDecode'),\n"
        "    dict(type='Resize', scale=(64, 64), keep_ratio=False),\n"
        "    dict(type='FormatShape', input_format='NCTHW'),\n"
        "    dict(type='PackActionInputs'),\n]\n"
        'test_dataloader = dict(dataset=dict(pipeline=test_pipeline))\n'
    )
    save_checkpoint({'state_dict': build('videomae').state_dict()}, str(checkpoint))
    return {'config': config, 'checkpoint': checkpoint}


def test_attention_rollout_of_a_transformer(vis_cam, video, transformer, tmp_path):
    words = ['--file-url', tmp_path / 'x.txt', '--method', 'attention_rollout', '--stride', 15]
    status, _, errors = vis_cam(video, *words, '--batch-size', 4, **transformer)
    assert status == 0, errors
    maps = read_heatmaps(tmp_path / 'x.txt')
    assert maps.meta['method'] == 'attention_rollout' and maps.meta['target_layers']
    assert len(maps) >= maps.meta['num_frames'] // 2 and maps.values.max() > 0.9


SMOOTHGRAD = ['--method', 'smoothgrad', '--method-options']
OCCLUSION = ['--method', 'occlusion']
REFUSED = {
    'no attention': (['--method', 'attention_rollout'], 'attention'),
    'no method': (['--method', 'magic'], "tsr, got 'magic'"),
    'no options': (['--method-options', 'steps=3'], 'gradcam has no options, got steps'),
    'no value': (['--method-options', 'steps'], "expected --method-options KEY=VALUE, got 'steps'"),
    'no such option': ([*SMOOTHGRAD, 'steps=3'], "one of samples, noise, seed, got 'steps'"),
    'too few': ([*SMOOTHGRAD, 'samples=0'], 'expected samples to be a whole number from 1'),
    'too short': ([*OCCLUSION, '--method-options', 'window=4,4'], 'expected window to be (frames'),
    'no layer': ([*OCCLUSION, '--target-layer-name', 'backbone'], 'leave the target layer out'),
}


@pytest.mark.parametrize(('words', 'fault'), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize('as_list', [False, True])
def test_methods_that_cannot_work_are_refused(
    vis_cam, video, clips, tmp_path, words, fault, as_list
):
    source = write_list(tmp_path / 'list.txt', clips, NAMES[:2]) if as_list else video
    out = tmp_path / ('out' if as_list else 'x.txt')
    status, _, errors = vis_cam(source, '--file-url', out, *words)
    assert status == 2 and fault in errors and errors.count('\n') == 1
    assert not out.exists()


@pytest.mark.parametrize(
    'window',
    [
        'window=8,48,64',
        pytest.param('window=(8,48,64)'),
    ],
)
def test_a_list_goes_on_with_the_same_options(vis_cam, clips, tmp_path, window):
    listed = write_list(tmp_path / 'list.txt', clips, NAMES[:2])
    words = ['--file-url', tmp_path / 'out', '--method', 'occlusion', '--method-options', window]
    assert vis_cam(listed, *words)[0] == 0
    before = stamps(tmp_path / 'out')
    status, _, errors = vis_cam(listed, *words)
    assert status == 0, errors
    assert stamps(tmp_path / 'out') == before


def test_a_list_of_folders_of_frames_needs_no_option(vis_cam, video, tmp_path):
    for name in 'ab':
        (tmp_path / name).mkdir()
        for number, picture in enumerate(read_frames(video, range(20)), 1):
            cv2.imwrite(str(tmp_path / name / f'image_{number:05}.png'), picture[..., ::-1])
    template = 'test_dataloader.dataset.filename_tmpl=image_{:05}.png'
    (tmp_path / 'list.txt').write_text('a 20 0\nb 20 1\n')
    options = ['--file-url', tmp_path / 'out', '--cfg-options', template]
    status, printed, errors = vis_cam(tmp_path / 'list.txt', *options)
    assert status == 0, errors
    assert '2 of 2 videos' in printed
    # Beside a video, which is which has to be said.
    (tmp_path / 'list.txt').write_text(f'a 20 0\n{video} 1\n')
    status, _, errors = vis_cam(tmp_path / 'list.txt', *options, '--file-url', tmp_path / 'mixed')
    assert status == 3
    assert 'is a folder: pass --use-frames if it holds frames' in errors


def test_clips_that_leave_gaps_are_told(vis_cam, video, tmp_path):
    status, _, errors = vis_cam(video, '--file-url', tmp_path / 'x.txt', '--stride', 40)
    told = 'clips of 15 frames that begin 40 frames apart leave the frames between them unseen'
    assert (status, errors) == (0, f'warning: {told}\n')


def test_a_map_that_shows_nothing_is_told(vis_cam, video, tmp_path):
    window = ['--method', 'occlusion', '--method-options', 'window=400,3200,3200']
    status, _, errors = vis_cam(video, '--file-url', tmp_path / 'x.txt', *window)
    assert status == 0
    assert errors.startswith(f'warning: {video}: occlusion is ')
    assert errors.endswith(' everywhere, so the map shows nothing\n')
    assert not read_heatmaps(tmp_path / 'x.txt').values.any()
