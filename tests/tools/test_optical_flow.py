"""optical_flow.py from the command line: files, numbers, restarts and one line for a mistake."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mmsal.heatmaps import HeatmapSequence, read_heatmaps, write_heatmaps
from tests.comparison.flow.videos import write_square

COMMAND = 'saliency/optical_flow.py'
NAMES = ('one', 'two', 'three')
KEYS = ['model', 'reference', 'metric', 'convention']

pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture
def videos(tmp_path) -> Path:
    """A list of three SYNTHETIC videos whose square moves in different rows and directions."""
    folder = tmp_path / 'videos'
    folder.mkdir()
    for number, name in enumerate(NAMES):
        steps = [2, 3, 2, 3, 2][: 5 - number]
        write_square(folder / f'{name}.avi', steps, row=14 * number + 2, seed=number)
    listed = folder / 'list.txt'
    listed.write_text('\n'.join(f'{name}.avi' for name in NAMES))
    return listed


def saliency_like_flow(flow: Path, out: Path, names=NAMES, **meta) -> Path:
    """Heatmaps that are a little blurred flow, without the last frame."""
    out.mkdir()
    for name in names:
        maps = read_heatmaps(flow / f'{name}.npz')
        values = (maps.values + np.roll(maps.values, 2, axis=2)) / 2
        described = {'space': 'source', **meta}
        sequence = HeatmapSequence(values[:-1], maps.frame_indices[:-1], described)
        write_heatmaps(sequence, out / f'{name}.txt')
    return out


def test_one_video(command, videos, tmp_path):
    video, out = videos.parent / 'one.avi', tmp_path / 'out'
    status, printed, errors = command(COMMAND, video, '--out-dir', out, '--format', 'txt')
    assert (status, errors) == (0, '')
    assert printed == f'optical flow of 1 of 1 videos: {out}\n'
    assert {path.name for path in out.iterdir()} == {
        'one.txt', 'one.txt.json', 'manifest.csv', 'settings.json',
    }  # fmt: skip
    maps = read_heatmaps(out / 'one.txt')
    assert maps.values.shape == (5, 48, 64) and maps.values.max() == 1
    assert maps.frame_indices.tolist() == [0, 1, 2, 3, 4]
    assert 2 < maps.meta['raw_maximum'] < 4  # the square goes two or three pixels in a step
    before = (out / 'one.txt').stat().st_mtime_ns
    assert command(COMMAND, video, '--out-dir', out, '--format', 'txt')[0] == 0
    assert (out / 'one.txt').stat().st_mtime_ns == before
    options = ('--algorithm', 'dis', '--algorithm-options', 'preset=fast', '--frames', '2-4,5-6')
    status, _, errors = command(COMMAND, video, '--out-dir', out, '--format', 'txt', *options)
    assert status == 2 and 'algorithm' in errors and '--overwrite' in errors
    status, *_ = command(COMMAND, video, '--out-dir', out, *options, '--overwrite')
    assert status == 0 and not (out / 'one.txt').exists()
    maps = read_heatmaps(out / 'one.npz')
    assert maps.frame_indices.tolist() == [1, 2, 4]
    assert maps.meta['method_options'] == {'algorithm': 'dis', 'preset': 'fast'}


def test_saliency_against_flow(command, videos, tmp_path):
    out = tmp_path / 'out'
    assert command(COMMAND, videos, '--out-dir', out)[0] == 0
    good = saliency_like_flow(out, tmp_path / 'good')
    bad = tmp_path / 'bad'
    bad.mkdir()
    for name in NAMES:
        maps = read_heatmaps(good / f'{name}.txt')
        write_heatmaps(
            HeatmapSequence(1 - maps.values, maps.frame_indices, maps.meta), bad / f'{name}.npz'
        )
    kept = (out / 'one.npz').stat().st_mtime_ns
    status, printed, errors = command(
        COMMAND, videos, '--out-dir', out, '--saliency', good, bad, '--title', 'SYNTHETIC squares'
    )
    assert (status, errors) == (0, '')
    assert (out / 'one.npz').stat().st_mtime_ns == kept

    results = pd.read_csv(out / 'results.csv')
    assert results.columns.tolist() == [
        'video', 'model', 'reference', 'level', 'frame', 'metric', 'convention', 'value',
        'n_fixations',
    ]  # fmt: skip
    frames = {name: 4 - number for number, name in enumerate(NAMES)}
    assert len(results) == sum(frames.values()) * 24 + 3 * 24  # 6 pairs, 4 measures; and videos
    assert {Path(video).stem for video in results['video']} == set(NAMES)

    summary = pd.read_csv(out / 'summary.csv').set_index(KEYS)
    own = summary.loc[('good', 'flow', 'CC', 'mit')]
    chance = summary.loc[('good', 'flow of other clips', 'CC', 'mit')]
    centre = summary.loc[('centre bias', 'flow', 'CC', 'mit')]
    assert own['mean'] > 0.9 > 0.6 > max(chance['mean'], centre['mean'])
    assert own['low'] <= own['mean'] <= own['high'] and own['videos'] == 3
    bad_mean = summary.loc[('bad', 'flow', 'CC', 'mit'), 'mean']
    assert bad_mean == pytest.approx(-own['mean'], abs=1e-4)
    difference = summary.loc[('good', 'flow minus flow of other clips', 'CC', 'mit')]
    assert difference['mean'] == pytest.approx(own['mean'] - chance['mean'])
    assert difference['low'] > 0
    videos_level = results[results['level'] == 'video'].set_index(KEYS)['value']
    assert videos_level.loc[('good', 'flow', 'CC', 'mit')].mean() == pytest.approx(own['mean'])

    lines = printed.splitlines()
    assert lines[1].startswith(f'CC of good with the flow {own["mean"]:.3f} [{own["low"]:.3f}, ')
    assert len(lines) == 1 + 2 * 3
    settings = json.loads((out / 'comparison.json').read_text())
    assert settings['models'] == {'good': str(good), 'bad': str(bad)}
    assert (settings['seed'], settings['sigma'], settings['left_out']) == (0, 0.25, [])
    with Image.open(out / 'flow.png') as picture:
        assert picture.format == 'PNG' and picture.width > picture.height


def test_what_cannot_be_compared(command, videos, tmp_path):
    out = tmp_path / 'out'
    with videos.open('a') as file:
        file.write('\ngone.avi')
    status, printed, errors = command(COMMAND, videos, '--out-dir', out)
    assert status == 3
    assert printed == f'optical flow of 3 of 4 videos: {out}\n'
    assert errors == 'failed: video gone.avi does not exist\n'

    some = saliency_like_flow(out, tmp_path / 'some', NAMES[:2])
    status, printed, errors = command(COMMAND, videos, '--out-dir', out, '--saliency', some)
    assert status == 3
    told = errors.splitlines()
    assert len(told) == 2
    assert told[1].startswith('not compared: ') and 'three.avi: no maps' in told[1]
    assert pd.read_csv(out / 'results.csv')['video'].nunique() == 2
    assert len(json.loads((out / 'comparison.json').read_text())['left_out']) == 1

    for folder, meta in (('input', {'space': 'input'}), ('none', None)):
        (out / 'summary.csv').unlink(missing_ok=True)
        if meta is None:
            (tmp_path / folder).mkdir()
        else:
            saliency_like_flow(out, tmp_path / folder, **meta)
        status, _, errors = command(
            COMMAND, videos, '--out-dir', out, '--saliency', tmp_path / folder
        )
        assert status == 2
        (line,) = errors.splitlines()[1:]
        assert line.startswith('error: no video can be compared: ')
        assert all(f'{name}.avi: ' in line for name in NAMES)
        assert not (out / 'summary.csv').exists()


def test_a_single_video_has_no_chance(command, videos, tmp_path):
    out = tmp_path / 'out'
    video = videos.parent / 'two.avi'
    assert command(COMMAND, video, '--out-dir', out)[0] == 0
    maps = saliency_like_flow(out, tmp_path / 'maps', ['two'])
    status, printed, errors = command(COMMAND, video, '--out-dir', out, '--saliency', maps)
    assert (status, errors) == (0, '')
    assert 'with the flow of other clips undefined' in printed
    summary = pd.read_csv(out / 'summary.csv').set_index(KEYS)
    chance = summary.loc[('maps', 'flow of other clips', 'CC', 'mit')]
    assert np.isnan(chance['mean']) and chance['undefined_videos'] == 1


def test_maps_that_vis_cam_wrote(command, clips, config_path, checkpoint_path, tmp_path):
    listed, out, maps = tmp_path / 'list.txt', tmp_path / 'out', tmp_path / 'gradcam'
    chosen = sorted(clips.glob('person0*_running_*.avi'))
    assert len(chosen) == 2
    listed.write_text(''.join(f'{video} frames 10-40\n' for video in chosen))
    status, *_ = command(
        'visualizations/vis_cam.py', config_path, checkpoint_path, listed, '--file-url', maps,
        '--device', 'cpu', '--workers', 0,
    )  # fmt: skip
    assert status == 0
    status, printed, errors = command(COMMAND, listed, '--out-dir', out, '--saliency', maps)
    assert (status, errors) == (0, '')
    assert 'CC of gradcam with the flow' in printed
    results = pd.read_csv(out / 'results.csv')
    for video in chosen:
        flow = read_heatmaps(out / f'{video.stem}.npz')
        saliency = read_heatmaps(maps / f'{video.stem}.txt')
        assert flow.frame_indices.tolist() == list(range(9, 39))
        t = saliency.frame_indices[1]
        rows = results[
            (results['video'] == str(video)) & (results['model'] == 'gradcam')
            & (results['reference'] == 'flow') & (results['metric'] == 'CC')
            & (results['convention'] == 'tuebingen') & (results['frame'] == t)
        ]  # fmt: skip
        pair = saliency.values[1], flow.values[t - 9]
        assert flow.values[t - 9].any()
        expected = np.corrcoef(*(one.ravel() for one in pair))[0, 1] if np.ptp(pair[0]) else 0
        assert rows['value'].tolist() == pytest.approx([expected], abs=1e-5)


FAULTS = {
    'missing': (['{videos}/gone.avi'], 'gone.avi'),
    'words': (['{videos}/words.avi'], 'not a video that can be read'),
    'missing list': (['{videos}/gone.txt'], 'cannot be read'),
    'ranges of a list': (['{videos}/list.txt', '--frames', '1-4'], 'ranges into the list'),
    'no range': (['{videos}/one.avi', '--frames', '4'], 'expected frame ranges'),
    'one frame': (['{videos}/one.avi', '--frames', '2-2'], 'flow takes two frames'),
    'outside': (['{videos}/one.avi', '--frames', '90-99'], 'one.avi'),
    'algorithm': (['{videos}/one.avi', '--algorithm', 'lk'], "'lk'"),
    'option': (['{videos}/one.avi', '--algorithm-options', 'winsize=0'], 'winsize from 1'),
    'no option': (['{videos}/one.avi', '--algorithm-options', 'winsize'], 'KEY=VALUE'),
    'format': (['{videos}/one.avi', '--format', 'csv'], "'csv'"),
    'saliency': (['{videos}/one.avi', '--saliency', '{videos}/no'], 'no folder of heatmaps'),
    'sigma': (['{videos}/one.avi', '--centre-sigma', '0'], 'positive sigma'),
    'chance': (['{videos}/one.avi', '--chance-clips', '0'], 'chance_clips of at least 1'),
    'folder': (['{videos}'], 'holds no frame called img_00001.jpg'),
}


@pytest.mark.parametrize(('arguments', 'words'), FAULTS.values(), ids=FAULTS)
def test_faults_are_one_line(command, videos, tmp_path, arguments, words):
    (videos.parent / 'words.avi').write_text('no video, but words\n' * 500)
    arguments = [one.format(videos=videos.parent) for one in arguments]
    status, printed, errors = command(COMMAND, *arguments, '--out-dir', tmp_path / 'out')
    assert (status, printed) == (2, '')
    assert errors.startswith('error: ') and errors.count('\n') == 1 and words in errors


def test_help_names_units_and_defaults(command):
    status, printed, _ = command(COMMAND, '--help')
    assert status == 0
    for words in ('pixels per frame step', '(default; parameters', '(default: npz)', '0.25'):
        assert words in ' '.join(printed.split())
