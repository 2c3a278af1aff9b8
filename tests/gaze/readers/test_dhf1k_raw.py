"""Raw DHF1K samples: small files written here in their layout, and the real recording."""

import math

import numpy as np
import pandas as pd
import pytest

from mmsal.gaze.readers import find_format, read_fixations
from mmsal.gaze.table import GazeFormatError

HEADER = 'Time\tType\tTrial\tL Dia X [px]\tL Dia Y [px]\tL POR X [px]\tL POR Y [px]\tL Event Info\n'
START = 84042779051  # microseconds


def sample(ms, event, x=720.0, y=450.0, kind='SMP'):
    return f'{START + 1000 * ms}\t{kind}\t1\t16.38\t16.38\t{x:.2f}\t{y:.2f}\t{event}\n'


SAMPLES = HEADER + (
    sample(0, '-')
    + sample(4, 'Fixation', 720, 450)
    + sample(8, 'Fixation', 722, 454)
    + sample(12, 'Saccade')
    + sample(16, 'Fixation', 360, 45)  # top of the video, a quarter of the way across
    + sample(20, 'Fixation', 360, 45)
    + sample(24, 'Fixation', 360, 45)
    + sample(28, 'Blink', 0, 0)
    + sample(32, 'Fixation', 720, 30)  # on the black bar above
)
SAID = {'video_size': (640, 360)}


def write(tmp_path, text, name='P03_Trail002.txt'):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(table):
    return [tuple(row) for row in table.round(9).itertuples(index=False)]


EXPECTED = [
    ('002', 'P03', 0.004, 0.008, 320 + 1 / 2.25, 180 + 2 / 2.25),
    ('002', 'P03', 0.016, 0.024, 160.0, 0.0),
]


def test_samples_give_the_exact_table(tmp_path):
    path = write(tmp_path, SAMPLES)
    assert find_format(path).name == 'dhf1k_raw'
    table = read_fixations(path, **SAID)
    assert rows(table) == rows(pd.DataFrame(EXPECTED))
    assert table.attrs['counts'] == {
        'rows': 9, 'no_fixation': 3, 'lost': 0, 'too_short': 0, 'missing': 0, 'before_video': 0,
        'outside': 1, 'fixations': 2,
    }  # fmt: skip


def samples(*groups):
    """Text of samples, 4 ms apart: (number, x, y) each, all called a fixation."""
    each = [(x, y) for number, x, y in groups for _ in range(number)]
    return HEADER + ''.join(
        sample(4 * k, 'Fixation', *place) for k, place in enumerate([*each, (0, 0)])
    )


@pytest.mark.parametrize('lost', [(0, 0), (0, 450), (720, -3)])
def test_lost_samples_do_not_move_a_fixation(tmp_path, lost):
    path = write(tmp_path, samples((5, 720, 450), (5, *lost), (5, 724, 450)))
    table = read_fixations(path, **SAID)
    np.testing.assert_allclose(
        table[['start_s', 'end_s', 'x_px', 'y_px']], [[0, 0.056, 722 / 2.25, 180]]
    )
    assert table.attrs['counts']['lost'] == 6


def test_a_long_loss_parts_two_fixations(tmp_path):
    path = write(tmp_path, samples((20, 720, 450), (17, 0, 0), (20, 720, 450)))
    assert read_fixations(path, **SAID)['end_s'].tolist() == pytest.approx([0.224])  # 72 ms apart
    path = write(tmp_path, samples((20, 720, 450), (19, 0, 0), (20, 720, 450)))
    table = read_fixations(path, **SAID)
    assert table['end_s'].tolist() == pytest.approx([0.076, 0.232])
    only = read_fixations(write(tmp_path, samples((5, 0, 0))), **SAID)
    assert only.empty and only.attrs['counts']['lost'] == 6


def test_steps_part_fixations_and_short_parts_are_counted(tmp_path):
    text = samples((12, 720, 450), (1, 900, 450), (10, 1200, 450), (11, 1249, 450), (1, 1300, 450))
    table = read_fixations(write(tmp_path, text), **SAID)
    np.testing.assert_allclose(
        table[['start_s', 'end_s', 'x_px']],
        [[0, 0.044, 320], [0.052, 0.132, (12000 + 13739) / 21 / 2.25]],
    )
    counts = table.attrs['counts']
    assert (counts['lost'], counts['too_short']) == (1, 2)


def test_messages_crlf_and_names_by_hand(tmp_path):
    message = f'{START + 1000}\tMSG\t1\t# Message: 002.AVI\t\t\t\t\n'
    lines = SAMPLES.splitlines(keepends=True)
    text = ''.join([*lines[:2], message, *lines[2:]]).replace('\n', '\r\n')
    path = write(tmp_path, text, 'gaze.txt')
    with pytest.raises(GazeFormatError, match='not recognised'):
        read_fixations(path, **SAID)
    with pytest.raises(GazeFormatError, match='--observer and --video'):
        read_fixations(path, format='dhf1k_raw', **SAID)
    said = SAID | {'video': '0002', 'observer': 'me', 'format': 'dhf1k_raw'}
    table = read_fixations(path, **said)
    assert rows(table[['start_s', 'end_s', 'x_px', 'y_px']]) == (
        rows(pd.DataFrame([row[2:] for row in EXPECTED]))
    )
    assert set(table['video']) == {'0002'} and set(table['observer']) == {'me'}


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('', ['empty']),
        (HEADER, ['no row']),
        (HEADER + sample(0, '-', kind='MSG'), ['no sample']),
        (SAMPLES.replace('L Event Info', 'R Event Info'), ['absent: L Event Info']),
        (SAMPLES.replace('722.00', 'left'), ['line 4', 'L POR X [px]', "'left'"]),
        (SAMPLES.replace(f'{START + 8000}\t', f'{START}\t'), ['do not fall']),
        (SAMPLES.replace(f'{START + 8000}\t', '\t'), ['times that are there']),
        (SAMPLES[: SAMPLES.rindex('\t30')], ['line 10', 'cut short']),
    ],
)
def test_faults_are_named(tmp_path, text, words):
    path = write(tmp_path, text)
    with pytest.raises(GazeFormatError) as error:
        read_fixations(path, format='dhf1k_raw', **SAID)
    assert str(error.value).startswith(str(path)) and '\n' not in str(error.value)
    assert all(word in str(error.value) for word in words), str(error.value)


@pytest.fixture(scope='module')
def recording(real_data):
    """Files of the 17 observers of video 002, in order."""
    files = sorted((real_data / 'gaze' / 'dhf1k_002').glob('P*.txt'))
    if not files:
        pytest.skip('no DHF1K recording')
    return files


@pytest.fixture(scope='module')
def fixations(recording):
    return pd.concat([read_fixations(path, **SAID) for path in recording], ignore_index=True)


def fixations_line_by_line(path):
    """The data set's mapping and the tracker's events again, with no library."""
    found, run = [], []
    lines = path.read_text().splitlines()[1:]
    first = int(lines[0].split('\t')[0])
    for line in [*lines, '\t' * 7]:
        time, _, _, _, _, x, y, event = line.split('\t')
        if event == 'Fixation':
            if float(x) > 0 and float(y) > 0:
                now = (int(time) - first, float(x), float(y))
                if run and (
                    math.dist(now[1:], run[-1][-1][1:]) > 50 or now[0] - run[-1][-1][0] > 75000
                ):
                    run.append([])
                run = run or [[]]
                run[-1].append(now)
            continue
        for part in run:
            x, y = (sum(one[axis] for one in part) / len(part) for axis in (1, 2))
            x, y = x * 640 / 1440, (y - (900 - 360 * 1440 / 640) / 2) * 640 / 1440
            long = len(run) == 1 or part[-1][0] - part[0][0] >= 40000
            if long and 0 <= x < 640 and 0 <= y < 360:
                found.append([part[0][0] / 1e6, part[-1][0] / 1e6, x, y])
        run = []
    return np.array(found)


def test_the_real_recording_equals_a_line_by_line_reading(recording, fixations):
    assert len(recording) == 17
    assert fixations['observer'].unique().tolist() == [f'P{n:02d}' for n in range(1, 18)]
    assert set(fixations['video']) == {'002'}
    for path in recording:
        own = fixations[fixations['observer'] == path.name[:3]]
        np.testing.assert_allclose(
            own[['start_s', 'end_s', 'x_px', 'y_px']], fixations_line_by_line(path), atol=1e-9
        )


def nss(maps, fixations, fps=30.0):
    """Mean over fixations, each in every third frame that it spans, of the standardised map."""
    values = []
    for frame, saliency in maps.items():
        middle = (frame + 0.5) / fps
        now = fixations[(fixations['start_s'] <= middle) & (middle <= fixations['end_s'])]
        x, y = now['x_px'].astype(int), now['y_px'].astype(int)
        values.append(((saliency - saliency.mean()) / saliency.std())[y, x])
    return float(np.concatenate(values).mean())


def test_gaze_lies_on_what_moves_in_the_real_video(real_data, recording, fixations):
    """The right place and time score far above the centre; wrong ones lower, but not all."""
    cv2 = pytest.importorskip('cv2')
    video = cv2.VideoCapture(str(real_data / 'gaze' / 'dhf1k_002' / '002.AVI'))
    before, maps = None, {}
    for frame in range(783):
        read, picture = video.read()
        assert read and picture.shape == (360, 640, 3)
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
        if frame % 3 == 1:
            change = cv2.GaussianBlur(np.abs(grey - before), (0, 0), 8)
            if change.std() > 0:
                maps[frame] = change
        before = grey
    y, x = np.mgrid[:360, :640]
    centre = np.exp(-(((x - 319.5) / 160) ** 2 + ((y - 179.5) / 90) ** 2) / 2)
    flipped = fixations.assign(y_px=359 - fixations['y_px'])
    late = fixations.assign(start_s=fixations['start_s'] + 3, end_s=fixations['end_s'] + 3)
    mirrored = fixations.assign(x_px=639 - fixations['x_px'])
    score = nss(maps, fixations)
    assert score > nss(dict.fromkeys(maps, centre), fixations) + 1.5  # 3.9 and 2.3
    for wrong in (flipped, late, mirrored):
        assert nss(maps, wrong[wrong[['x_px', 'y_px']].min(axis=1) >= 0]) < score - 0.3
    # What moves here is near the middle: pulling all gaze towards it by a tenth even scores higher,
    # so a video that was letterboxed and is taken for stretched cannot be told this way (4.1).
    stretched = [read_fixations(path, video_rect='screen', **SAID) for path in recording]
    assert nss(maps, pd.concat(stretched, ignore_index=True)) > score
