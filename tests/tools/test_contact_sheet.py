"""contact_sheet.py: one picture of a folder of heatmaps."""

import numpy as np
import pytest
from PIL import Image

from mmsal.datasets.video import probe_video
from mmsal.heatmaps import HeatmapSequence, write_heatmaps

CONTACT_SHEET = 'visualizations/contact_sheet.py'


@pytest.fixture
def heatmaps(clips, tmp_path):
    """A folder of heatmaps of three videos: a bright spot that wanders."""
    folder = tmp_path / 'maps'
    videos = sorted(clips.glob('*.avi'))[:3]
    for number, video in enumerate(videos):
        info = probe_video(video)
        values = np.zeros((5, info.height, info.width), np.float32)
        for frame in range(5):
            values[frame, 40:80, 20 * frame : 20 * frame + 40] = 1
        meta = {
            'video': str(video),
            'space': 'source',
            'target_label': 'walking',
            'predictions': [{'class': 0, 'label': 'walking', 'score': 0.75}],
        }
        place = folder / str(number)
        place.mkdir(parents=True)
        sequence = HeatmapSequence(values, np.arange(5) * 10, meta)
        write_heatmaps(sequence, place / f'{video.stem}{(".txt", ".npz", ".txt.gz")[number]}')
    return folder


def read_picture(path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == 'PNG'
        return np.asarray(picture.convert('RGB')).astype(int)


def test_a_row_per_video_and_a_column_per_frame(command, heatmaps, tmp_path):
    out = tmp_path / 'new' / 'sheet.png'
    status, printed, errors = command(CONTACT_SHEET, heatmaps, out, '--title', 'Where it looks')
    assert (status, errors) == (0, '')
    assert printed == f'contact sheet of 3 videos: {out}\n'
    whole = read_picture(out)
    assert [path.name for path in out.parent.iterdir()] == ['sheet.png']
    # Not blank: the videos are grey, so that colour comes from the heatmaps.
    coloured = np.ptp(whole, axis=2) > 60
    assert 0.005 < coloured.mean() < 0.5

    command(CONTACT_SHEET, heatmaps, out, '--videos', 1, '--frames', 2)
    small = read_picture(out)
    assert small.shape[0] < whole.shape[0] / 2 and small.shape[1] < whole.shape[1] / 2


def test_alpha_is_the_weight_of_the_maps(command, heatmaps, tmp_path):
    colours = []
    for alpha in (0, 0.3, 1):
        out = tmp_path / f'{alpha}.png'
        assert command(CONTACT_SHEET, heatmaps, out, '--alpha', alpha)[0] == 0
        colours.append(np.ptp(read_picture(out), axis=2).mean())
    assert colours[0] < colours[1] / 2 < colours[2] / 4


def without_heatmaps(folder):
    for path in folder.rglob('*.*'):
        path.unlink()


def without_sidecars(folder):
    for path in folder.rglob('*.json'):
        path.unlink()


def with_a_broken_map(folder):
    next(folder.rglob('*.txt')).write_text('Frame 0 - Heatmap values:\n0.1 x\n')


FAULTS = {
    'no heatmaps': (without_heatmaps, 'x.png', [], 'holds no heatmap files'),
    'no sidecars': (without_sidecars, 'x.png', [], 'its sidecar names no video'),
    'broken map': (with_a_broken_map, 'x.png', [], 'line 2'),
    'other suffix': (None, 'x.pdf', [], 'ending with .png'),
    'alpha': (None, 'x.png', ['--alpha', 3], 'alpha from 0 to 1, got 3'),
    'no frames': (None, 'x.png', ['--frames', 0], '--frames of at least 1, got 0'),
    'no videos': (None, 'x.png', ['--videos', -2], '--videos of at least 1, got -2'),
    'a word for a number': (None, 'x.png', ['--videos', 'all'], "'all'"),
}


@pytest.mark.parametrize(('spoil', 'name', 'options', 'words'), FAULTS.values(), ids=FAULTS)
def test_faults_are_one_line(command, heatmaps, tmp_path, spoil, name, options, words):
    if spoil is not None:
        spoil(heatmaps)
    out = tmp_path / 'out' / name
    status, _, errors = command(CONTACT_SHEET, heatmaps, out, *options)
    assert status == 2
    assert errors.startswith('error: ') and errors.count('\n') == 1 and words in errors
    assert not out.parent.exists()


def test_a_folder_that_does_not_exist(command, tmp_path):
    status, _, errors = command(CONTACT_SHEET, tmp_path / 'gone', tmp_path / 'x.png')
    assert status == 2
    assert errors == f'error: {tmp_path / "gone"} holds no heatmap files\n'
