"""vis_cam.py: heatmap files, overlays, and lists that go on where they stopped."""

import csv
import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import av
import cv2
import mmcv
import numpy as np
import pytest
import torch
from PIL import Image

from mmsal.datasets.video import probe_video, read_frames
from mmsal.heatmaps import read_heatmaps

ROOT = Path(__file__).resolve().parents[2]
VIS_CAM = 'visualizations/vis_cam.py'
MANIFEST = 'video,status,output,prediction,score,frames,seconds,error'
SIDECAR = {
    'video', 'fps', 'num_frames', 'source_size', 'map_size', 'space', 'frame_indices', 'timestamps',
    'method', 'method_options', 'target_layers', 'target_class', 'target_label', 'predictions',
    'clips',
    'normalisation', 'raw_minimum', 'raw_maximum', 'config', 'config_options', 'checkpoint',
    'versions', 'seen', 'seen_frames',
}  # fmt: skip


pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture
def video(clips):
    return clips / 'person02_running_d1_uncomp.avi'


@pytest.fixture
def vis_cam(command, config_path, checkpoint_path):
    """Run vis_cam.py on the small recognizer: exit code, stdout, stderr."""

    def call(video, *options, checkpoint=checkpoint_path):
        # On the CPU, so that numbers can be compared to many digits wherever the tests run.
        return command(VIS_CAM, config_path, checkpoint, video, '--device', 'cpu', *options)

    return call


@pytest.fixture
def maps_of(vis_cam, tmp_path):
    """Run vis_cam.py on one video and read the heatmaps that it wrote."""

    def call(video, *options, name='maps.txt'):
        status, _, errors = vis_cam(video, '--file-url', tmp_path / name, *options)
        assert status == 0, errors
        return read_heatmaps(tmp_path / name)

    return call


def sampled(start: int, stop: int) -> list[int]:
    """The frames that the small config's pipeline takes from a range: 8, every other, centred."""
    first = start + (stop - start - 15) // 2
    return list(range(first, first + 16, 2))


def probe(path: Path) -> dict:
    """Codec, pixel format, size, rate and number of frames of a video file."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        return {
            'codec': context.name,
            'pixels': context.pix_fmt,
            'size': (context.width, context.height),
            'fps': float(stream.average_rate),
            'frames': sum(1 for _ in container.decode(stream)),
        }


# --- one video: heatmap files ------------------------------------------------------------------


def test_heatmap_text_is_in_the_promised_format(vis_cam, video, tmp_path):
    out = tmp_path / 'new' / 'x.txt'
    status, printed, errors = vis_cam(video, '--file-url', out)
    assert (status, errors) == (0, '')
    assert re.search(r'prediction: (walking|running) \(0\.\d{4}\)', printed)
    assert f'heatmaps of 8 frames: {out}' in printed

    info = probe_video(video)
    lines = out.read_text().splitlines()
    per_frame = 1 + info.height
    assert len(lines) == 8 * per_frame
    headers = [f'Frame {frame} - Heatmap values:' for frame in sampled(0, info.frames)]
    assert lines[::per_frame] == headers
    row = re.compile(rf'[01]\.\d{{6}}( [01]\.\d{{6}}){{{info.width - 1}}}')
    rows = [line for line in lines if not line.startswith('Frame')]
    assert all(row.fullmatch(line) for line in rows)
    # Each view is stretched to [0, 1], and carrying it to the source hardly lowers the peak.
    values = np.array([line.split() for line in rows], float)
    assert values.min() < 0.05 and 0.9 < values.max() <= 1
    assert {path.name for path in out.parent.iterdir()} == {'x.txt', 'x.txt.json'}


def test_sidecar_is_complete(maps_of, video, config_path, checkpoint_path, tmp_path):
    maps = maps_of(video)
    told = json.loads((tmp_path / 'maps.txt.json').read_text())
    assert set(told) == SIDECAR
    info = probe_video(video)
    frames = sampled(0, info.frames)
    expected = {
        'video': str(video),
        'fps': 25.0,
        'num_frames': info.frames,
        'source_size': [160, 120],
        'map_size': [160, 120],
        'space': 'source',
        'frame_indices': frames,
        'timestamps': [frame / 25 for frame in frames],
        'method': 'gradcam',
        'target_layers': ['backbone/layer2'],
        'config': str(config_path),
    }
    assert {key: told[key] for key in expected} == expected
    assert [one['views'] for one in told['clips']] == [1]
    assert told['raw_minimum'] < told['raw_maximum']
    best, other = told['predictions']
    assert best['score'] >= other['score'] and best['score'] + other['score'] == pytest.approx(1)
    assert {best['label'], other['label']} == {'walking', 'running'}
    assert (told['target_class'], told['target_label']) == (best['class'], best['label'])
    assert told['checkpoint']['path'] == str(checkpoint_path)
    assert re.fullmatch('[0-9a-f]{64}', told['checkpoint']['sha256'])
    assert {'mmsal', 'mmaction2', 'mmengine', 'torch', 'numpy', 'python'} == set(told['versions'])
    assert maps.frame_indices.tolist() == frames


@pytest.mark.parametrize(('wanted', 'number'), [('walking', 0), ('1', 1)])
def test_target_category_by_name_and_number(maps_of, video, wanted, number):
    meta = maps_of(video, '--target-category', wanted).meta
    assert meta['target_class'] == number
    assert meta['target_label'] == ('walking', 'running')[number]


def test_target_category_changes_the_maps_and_not_the_prediction(maps_of, video):
    one, other = (
        maps_of(video, '--target-category', name, name=f'{name}.npz')
        for name in ('walking', 'running')
    )
    assert np.abs(one.values - other.values).max() > 0.1
    assert one.meta['predictions'] == other.meta['predictions']


def test_target_layer(maps_of, video):
    default = maps_of(video, name='default.npz')
    named = maps_of(video, '--target-layer-name', 'backbone/layer2', name='named.npz')
    earlier = maps_of(video, '--target-layer-name', 'backbone.layer1.0', name='earlier.npz')
    np.testing.assert_array_equal(default.values, named.values)
    assert earlier.meta['target_layers'] == ['backbone.layer1.0']
    assert np.abs(earlier.values - default.values).max() > 0.1


def test_frame_ranges_are_explained_each_as_a_clip(maps_of, video):
    maps = maps_of(video, '--frames', '1-20, 51-90')
    assert maps.frame_indices.tolist() == sampled(0, 20) + sampled(50, 90)
    assert [one['frame_range'] for one in maps.meta['clips']] == [[0, 20], [50, 90]]


def test_space_input_gives_the_input_size(maps_of, video):
    maps = maps_of(video, '--space', 'input')
    assert maps.values.shape == (8, 48, 64)
    assert maps.meta['space'] == 'input' and maps.meta['source_size'] == [160, 120]


@pytest.mark.parametrize('decimals', [1, 3, 9])
def test_decimals(maps_of, video, tmp_path, decimals):
    exact = maps_of(video, '--space', 'input', name='exact.npz')
    maps = maps_of(video, '--space', 'input', '--decimals', decimals)
    first = (tmp_path / 'maps.txt').read_text().split('\n')[1].split()[0]
    assert len(first) == 2 + decimals
    np.testing.assert_allclose(maps.values, exact.values, rtol=0, atol=0.5 * 10**-decimals + 1e-7)


def test_every_heatmap_format_holds_the_same_maps(maps_of, video, tmp_path):
    text, zipped, exact = (maps_of(video, name=name) for name in ('a.txt', 'b.txt.gz', 'c.npz'))
    assert (
        gzip.decompress((tmp_path / 'b.txt.gz').read_bytes()) == (tmp_path / 'a.txt').read_bytes()
    )
    np.testing.assert_array_equal(zipped.values, text.values)
    np.testing.assert_allclose(exact.values, text.values, rtol=0, atol=6e-7)
    assert exact.meta == text.meta == zipped.meta
    with np.load(tmp_path / 'c.npz', allow_pickle=False) as stored:
        assert {'values', 'frame_indices', 'meta'} <= set(stored.files)


def test_outputs_in_folders_are_called_like_the_video(vis_cam, video, tmp_path):
    status, _, errors = vis_cam(video, '--file-url', f'{tmp_path}/a/', '--out-filename', tmp_path)
    assert status == 0, errors
    assert (tmp_path / 'a' / f'{video.stem}.txt').is_file()
    assert (tmp_path / f'{video.stem}.mp4').is_file()


def test_existing_output_is_refused_without_overwrite(vis_cam, video, tmp_path):
    out = tmp_path / 'x.txt'
    out.write_text('mine')
    status, _, errors = vis_cam(video, '--file-url', out)
    assert status == 2
    assert errors == f'error: {out} exists already: name another file, or pass --overwrite\n'
    assert out.read_text() == 'mine'
    assert vis_cam(video, '--file-url', out, '--overwrite')[0] == 0
    assert len(read_heatmaps(out)) == 8


def test_preview_model_lists_layers_with_their_shapes_and_writes_nothing(
    vis_cam, video, tmp_path, monkeypatch
):
    listed = tmp_path / 'list.txt'
    listed.write_text(f'{video}\n')
    monkeypatch.chdir(tmp_path)
    status, printed, errors = vis_cam(video, '--preview-model')
    assert (status, errors) == (0, '')
    lines = [line.split() for line in printed.splitlines()]
    assert lines[0][:2] == ['target', 'layer']
    # 8 frames of 64x48; the stem quarters them, and the second stage halves that.
    assert ['*', 'backbone/layer2', '8', 'x', '6', 'x', '8'] in [line[:7] for line in lines]
    assert ['backbone/layer1', '8', 'x', '12', 'x', '16'] in [line[:6] for line in lines]
    assert not any('bn' in line[1] for line in lines)
    assert sum(line[0] == '*' for line in lines) == 1
    assert vis_cam(listed, '--preview-model')[1] == printed
    assert list(tmp_path.iterdir()) == [listed]


# --- the numbers -------------------------------------------------------------------------------


def mmaction_maps(config, checkpoint, video, label=None):
    """What MMAction2's own functions give for the video; [T, H, W] in input space."""
    from mmaction.apis import init_recognizer
    from mmaction.utils import GradCAM
    from mmengine.dataset import Compose, pseudo_collate

    model = init_recognizer(str(config), str(checkpoint), device='cpu')
    source = {'filename': str(video), 'label': label or 0, 'start_index': 0, 'modality': 'RGB'}
    data = pseudo_collate([Compose(model.cfg.test_pipeline)(source)])
    cam = GradCAM(model, 'backbone/layer2')
    maps, _ = cam._calculate_localization_map(data, use_labels=label is not None)
    return maps[0].numpy()


@pytest.mark.filterwarnings('ignore:Using a non-full backward hook')
@pytest.mark.parametrize(
    ('label', 'average'), [(None, 'prob'), (None, 'score'), (0, None), (1, 'prob')]
)
def test_values_are_those_of_mmaction2(
    maps_of, video, config_path, checkpoint_path, label, average
):
    options = [] if label is None else ['--target-category', label]
    averaging = ['--cfg-options', f'model.cls_head.average_clips={average}']
    maps = maps_of(video, '--space', 'input', *options, *averaging)
    expected = mmaction_maps(config_path, checkpoint_path, video, label)
    assert expected.max() > 0.99  # else there is nothing to compare
    # 5e-7 is half the last of six decimals.
    np.testing.assert_allclose(maps.values, expected, rtol=0, atol=1e-5 + 5e-7)


@pytest.mark.parametrize(('suffix', 'tolerance'), [('png', 1e-6), ('jpg', 0.1)])
def test_a_folder_of_frames_gives_the_maps_of_its_video(
    maps_of, video, tmp_path, suffix, tolerance
):
    folder = tmp_path / 'frames'
    folder.mkdir()
    pictures = read_frames(video, range(probe_video(video).frames))
    for number, picture in enumerate(pictures, 1):
        name = str(folder / f'img_{number:05}.{suffix}')
        cv2.imwrite(name, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    template = f'test_dataloader.dataset.filename_tmpl=img_{{:05}}.{suffix}'
    of_frames = maps_of(folder, '--use-frames', '--cfg-options', template, name='frames.npz')
    of_video = maps_of(video, name='video.npz')
    np.testing.assert_array_equal(of_frames.frame_indices, of_video.frame_indices)
    difference = np.abs(of_frames.values - of_video.values)
    # JPEG moves single pixels more than the map as a whole.
    assert difference.mean() < tolerance / 5 and np.quantile(difference, 0.99) < tolerance
    assert of_frames.meta['num_frames'] == len(pictures)
    assert of_frames.meta['predictions'][0]['score'] == pytest.approx(
        of_video.meta['predictions'][0]['score'], abs=1e-3
    )


def test_weights_saved_on_a_gpu_are_read_without_one(vis_cam, video, checkpoint_path, tmp_path):
    from tests.tools.test_train_and_test import as_if_saved_on_a_gpu

    saved = as_if_saved_on_a_gpu(checkpoint_path, tmp_path / 'gpu.pth')
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match='CUDA'):  # what would happen without our care
            torch.load(saved, weights_only=True)
    status, _, errors = vis_cam(video, '--file-url', tmp_path / 'x.npz', checkpoint=saved)
    assert (status, errors) == (0, '')


# --- one video: overlays -----------------------------------------------------------------------


def test_mp4_overlay_plays_in_browsers(vis_cam, video, tmp_path):
    out = tmp_path / 'x.mp4'
    assert vis_cam(video, '--out-filename', out, '--fps', 4)[0] == 0
    size = (160, 120)
    assert probe(out) == {
        'codec': 'h264', 'pixels': 'yuv420p', 'size': size, 'fps': 4.0, 'frames': 8
    }  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ['x.mp4']


def test_gif_overlay(vis_cam, video, tmp_path):
    out = tmp_path / 'x.gif'
    assert vis_cam(video, '--out-filename', out, '--fps', 4)[0] == 0
    with Image.open(out) as picture:
        assert (picture.format, picture.n_frames, picture.size) == ('GIF', 8, (160, 120))
        assert picture.info['duration'] == 250


def first_picture(path: Path) -> np.ndarray:
    """The first frame of an overlay, as float."""
    return read_frames(path, [0])[0].astype(float)


def test_alpha_and_colormap_of_the_overlay(vis_cam, maps_of, video, tmp_path):
    from matplotlib import colormaps

    maps = maps_of(video)
    frame = read_frames(video, maps.frame_indices[:1])[0]
    colours = {name: colormaps[name](maps.values[0])[..., :3] * 255 for name in ('viridis', 'jet')}
    for alpha, colormap, expected in (
        (0, 'viridis', frame),
        (1, 'viridis', colours['viridis']),
        (0.5, 'jet', (colours['jet'] + frame) / 2),
    ):
        out = tmp_path / f'{alpha}_{colormap}.mp4'
        look = ['--alpha', alpha, '--colormap', colormap]
        assert vis_cam(video, '--out-filename', out, *look)[0] == 0
        # Compression blurs; another picture is far off.
        assert np.abs(first_picture(out) - expected).mean() < 8


@pytest.mark.parametrize('wanted', [(100, 100), (90, 200), (-1, 60), (60, -1), (-1, -1)])
def test_target_resolution_means_what_it_means_in_mmaction2(vis_cam, video, tmp_path, wanted):
    out = tmp_path / 'x.gif'
    assert vis_cam(video, '--out-filename', out, '--target-resolution', *wanted)[0] == 0
    scale = wanted if min(wanted) != -1 else (np.inf, max(wanted))  # as its _resize_frames
    expected = (160, 120) if max(wanted) == -1 else mmcv.rescale_size((160, 120), scale)
    with Image.open(out) as picture:
        assert picture.size == expected


# --- lists -------------------------------------------------------------------------------------


def read_manifest(folder: Path) -> dict[str, dict]:
    """Rows of the manifest by the name of the video."""
    lines = (folder / 'manifest.csv').read_text().splitlines()
    assert lines[0] == MANIFEST
    return {Path(row['video']).name: row for row in csv.DictReader(lines)}


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file()}


@pytest.fixture
def write_list(tmp_path, clips):
    """Write a list; {clips} stands for the folder of the clips."""

    def write(*lines: str) -> Path:
        path = tmp_path / 'list.txt'
        path.write_text('\n'.join(lines).format(clips=clips) + '\n')
        return path

    return write


def test_list_with_labels_ranges_comments_and_a_bad_path(vis_cam, write_list, tmp_path, clips):
    listed = write_list(
        '# videos of two persons',
        '{clips}/person02_running_d1_uncomp.avi',
        '',
        '{clips}/person02_walking_d1_uncomp.avi 0',
        '{clips}/gone.avi',
        '{clips}/person01_walking_d1_uncomp.avi frames 1-20, 25-40',
    )
    out = tmp_path / 'out'
    status, printed, errors = vis_cam(listed, '--file-url', out)
    assert status == 3
    failures = [line for line in errors.splitlines() if 'failed' in line]
    assert failures == [f'failed: {clips}/gone.avi: video {clips}/gone.avi does not exist']
    assert 'Traceback' not in errors
    assert f'3 of 4 videos in {out}' in printed

    rows = read_manifest(out)
    assert [row['status'] for row in rows.values()] == ['done', 'done', 'failed', 'done']
    bad = rows.pop('gone.avi')
    assert bad['output'] == bad['frames'] == '' and 'does not exist' in bad['error']
    for name, row in rows.items():
        maps = read_heatmaps(out / row['output'])
        assert row['output'] == Path(name).with_suffix('.txt').name
        assert int(row['frames']) == len(maps)
        best = maps.meta['predictions'][0]
        assert row['prediction'] == best['label'] and float(row['score']) == best['score']
        assert float(row['seconds']) > 0 and row['error'] == ''
    ranged = read_heatmaps(out / 'person01_walking_d1_uncomp.txt')
    assert ranged.frame_indices.tolist() == sampled(0, 20) + sampled(24, 40)
    written = {f'{Path(name).stem}.{suffix}' for name in rows for suffix in ('txt', 'txt.json')}
    assert files_in(out) == written | {'manifest.csv', 'settings.json'}


def test_second_run_does_only_what_is_not_done(vis_cam, tmp_path, clips):
    for name in ('a', 'b'):
        (tmp_path / name).mkdir()
    first, late = tmp_path / 'a' / 'x.avi', tmp_path / 'b' / 'x.avi'
    first.symlink_to(clips / 'person01_running_d1_uncomp.avi')
    listed = tmp_path / 'list.txt'
    listed.write_text(f'{first}\n{late}\n')
    out, overlays = tmp_path / 'maps', tmp_path / 'overlays'
    outputs = ['--file-url', out, '--out-filename', overlays, '--format', 'npz']

    assert vis_cam(listed, *outputs)[0] == 3
    # Videos of one name in two folders keep apart.
    done = [out / 'a' / 'x.npz', overlays / 'a' / 'x.mp4']
    stamps = [path.stat().st_mtime_ns for path in done]
    late.symlink_to(clips / 'person01_walking_d1_uncomp.avi')
    status, _, errors = vis_cam(listed, *outputs)
    assert status == 0, errors
    assert [path.stat().st_mtime_ns for path in done] == stamps
    assert files_in(out) == {'a/x.npz', 'b/x.npz', 'manifest.csv', 'settings.json'}
    assert files_in(overlays) == {'a/x.mp4', 'b/x.mp4'}
    assert probe(overlays / 'b' / 'x.mp4')['frames'] == 8
    rows = list(csv.DictReader((out / 'manifest.csv').open()))
    assert [(row['status'], row['error']) for row in rows] == [('done', '')] * 2

    assert vis_cam(listed, *outputs, '--overwrite')[0] == 0
    assert all(path.stat().st_mtime_ns > stamp for path, stamp in zip(done, stamps, strict=True))


def test_overlays_asked_for_later_are_drawn(vis_cam, write_list, tmp_path):
    listed = write_list('{clips}/person02_running_d1_uncomp.avi')
    out, overlays = tmp_path / 'maps', tmp_path / 'overlays'
    assert vis_cam(listed, '--file-url', out)[0] == 0
    assert vis_cam(listed, '--file-url', out, '--out-filename', overlays)[0] == 0
    assert files_in(overlays) == {'person02_running_d1_uncomp.mp4'}


def test_a_run_stopped_in_the_middle_leaves_no_half_file(
    vis_cam, write_list, tmp_path, monkeypatch
):
    from mmsal.heatmaps import text

    names = ('person01_running_d1_uncomp', 'person01_walking_d1_uncomp')
    listed = write_list(*('{clips}/' + name + '.avi' for name in names))
    out = tmp_path / 'out'
    whole, written = text.format_grid, []

    def interrupted(frame, decimals):
        if len(written) == 12:  # within the second video, of which four frames are written
            raise KeyboardInterrupt
        written.append(frame)
        return whole(frame, decimals)

    with monkeypatch.context() as patch:
        patch.setattr(text, 'format_grid', interrupted)
        status, _, errors = vis_cam(listed, '--file-url', out)
    assert status == 130 and errors.splitlines()[-1] == 'stopped'
    first = {f'{names[0]}.txt', f'{names[0]}.txt.json', 'manifest.csv', 'settings.json'}
    assert files_in(out) == first
    assert [row['status'] for row in read_manifest(out).values()] == ['done']

    stamp = (out / f'{names[0]}.txt').stat().st_mtime_ns
    assert vis_cam(listed, '--file-url', out)[0] == 0
    assert (out / f'{names[0]}.txt').stat().st_mtime_ns == stamp
    assert [len(read_heatmaps(out / f'{name}.txt')) for name in names] == [8, 8]
    assert len(read_manifest(out)) == 2


OTHER_SETTINGS = {
    'class': (['--target-category', 'running'], "target 'walking'"),
    'layer': (['--target-layer-name', 'backbone/layer1'], 'target_layer_name None'),
    'space': (['--space', 'input'], "space 'source'"),
    'decimals': (['--decimals', 3], 'decimals 6'),
    'config': (['--cfg-options', 'model.cls_head.average_clips=score'], 'another config'),
}


@pytest.mark.parametrize(('options', 'words'), OTHER_SETTINGS.values(), ids=OTHER_SETTINGS)
def test_other_settings_into_the_same_folder_are_refused(
    vis_cam, write_list, tmp_path, options, words
):
    listed = write_list('{clips}/person02_running_d1_uncomp.avi')
    out = tmp_path / 'out'
    base = ['--file-url', out, '--target-category', 'walking']
    assert vis_cam(listed, *base)[0] == 0
    before = {path: path.read_bytes() for path in out.iterdir()}
    status, _, errors = vis_cam(listed, *base, *options)
    assert status == 2 and errors.count('\n') == 1
    assert f'holds maps made with {words}' in errors and '--overwrite' in errors
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_other_frames_of_the_same_video_are_not_taken_for_done(vis_cam, write_list, tmp_path):
    out = tmp_path / 'out'
    line = '{clips}/person02_running_d1_uncomp.avi frames '
    assert vis_cam(write_list(line + '1-40'), '--file-url', out)[0] == 0
    assert vis_cam(write_list(line + '1-40'), '--file-url', out)[0] == 0
    status, _, errors = vis_cam(write_list(line + '41-80'), '--file-url', out)
    assert status == 2 and 'frame_ranges of' in errors and '[[0, 40]], not [[40, 80]]' in errors


def test_settings_of_a_run_that_made_no_map_bind_nobody(vis_cam, write_list, tmp_path):
    listed = write_list('{clips}/person02_running_d1_uncomp.avi')
    out = tmp_path / 'out'
    # A layer without a feature map is found out in the forward pass, as every video's fault.
    wrong = ['--target-layer-name', 'cls_head/fc_feature']
    status, _, errors = vis_cam(listed, '--file-url', out, *wrong)
    assert status == 2 and 'gives no feature map' in errors.splitlines()[-1]
    assert vis_cam(listed, '--file-url', out)[0] == 0


# --- as processes ------------------------------------------------------------------------------


def run(*words, cwd) -> subprocess.CompletedProcess:
    """Run a command with this Python's folder first in PATH, as in an activated environment."""
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    return subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, cwd=cwd, check=False,
        env={**os.environ, 'PATH': path, 'OMP_NUM_THREADS': '1'},
    )  # fmt: skip


def test_batch_script_writes_heatmaps_and_overlays(
    write_list, config_path, checkpoint_path, tmp_path
):
    listed = write_list('{clips}/person02_running_d1_uncomp.avi')
    script = ROOT / 'tools' / 'batch_vis_cam.sh'
    done = run(
        'bash', script, config_path, checkpoint_path, listed, 'made', '--device', 'cpu',
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    name = 'person02_running_d1_uncomp'
    maps = {f'heatmaps/{name}.txt', f'heatmaps/{name}.txt.json'}
    records = {'heatmaps/manifest.csv', 'heatmaps/settings.json'}
    assert files_in(tmp_path / 'made') == maps | records | {f'overlays/{name}.mp4'}
    assert 'Traceback' not in done.stderr and '1/1' in done.stderr

    usage = run('bash', script, cwd=tmp_path)
    assert usage.returncode == 2 and 'CONFIG CHECKPOINT LIST.txt OUT_DIR' in usage.stderr
