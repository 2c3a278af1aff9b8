"""Optical flow of videos: which pairs of frames, one scale, and files that a second run keeps."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsal.comparison import FlowSettings, export_flow, flow_heatmaps
from mmsal.comparison.flow import maps as module
from mmsal.comparison.flow.maps import first_frames
from mmsal.datasets.synthetic.files import write_video
from mmsal.datasets.video import VideoError, VideoInfo, read_frames
from mmsal.explain.jobs import Job
from mmsal.heatmaps import read_heatmaps
from tests.comparison.flow.videos import HEIGHT, WIDTH, write_square

STEPS = (1, 1, 3, 1, 1, 1, 2, 1)


@pytest.fixture
def video(tmp_path) -> Path:
    """Nine frames; the square moves fastest from frame 2 to 3."""
    return write_square(tmp_path / 'square.avi', STEPS)


def by_hand(video: Path, first: int) -> np.ndarray:
    """Speed from a frame to the next, with OpenCV alone."""
    before, after = (
        cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in read_frames(video, [first, first + 1])
    )
    flow = cv2.calcOpticalFlowFarneback(before, after, None, 0.5, 3, 15, 3, 5, 1.2, 0)
    return np.sqrt((flow.astype(float) ** 2).sum(axis=-1))


def test_a_map_per_pair_on_one_scale(video):
    maps = flow_heatmaps(video)
    assert maps.values.shape == (8, HEIGHT, WIDTH)
    assert maps.frame_indices.tolist() == list(range(8))
    speeds = np.stack([by_hand(video, first) for first in range(8)])
    assert maps.meta['raw_maximum'] == pytest.approx(speeds.max(), rel=1e-5)
    np.testing.assert_allclose(maps.values, speeds / speeds.max(), atol=1e-5)
    assert maps.values.max() == 1
    # The frame pairs differ in speed, and stay different: no map has a scale of its own.
    assert maps.values.reshape(8, -1).max(axis=1).argmax() == 2
    assert maps.values[0].max() < 0.7


def test_meta(video):
    meta = flow_heatmaps(video, FlowSettings(options={'winsize': 9}), [(0, 3), (5, 9)]).meta
    assert meta['frame_pairs'] == [[0, 1], [1, 2], [5, 6], [6, 7], [7, 8]]
    assert meta['frame_ranges'] == [[0, 3], [5, 9]]
    assert meta['timestamps'] == pytest.approx([0, 0.04, 0.2, 0.24, 0.28])
    assert (meta['video'], meta['fps'], meta['num_frames']) == (str(video), 25, 9)
    assert (meta['source_size'], meta['space']) == ([WIDTH, HEIGHT], 'source')
    assert meta['method'] == 'optical_flow'
    assert meta['method_options'] == {
        'algorithm': 'farneback', 'pyr_scale': 0.5, 'levels': 3, 'winsize': 9, 'iterations': 3,
        'poly_n': 5, 'poly_sigma': 1.2, 'flags': 0,
    }  # fmt: skip
    assert meta['unit'] == 'pixels per frame step'
    assert {'mmsal', 'opencv', 'numpy', 'python'} <= set(meta['versions'])


def test_blocks_change_nothing(video, monkeypatch):
    """Frames are decoded in blocks; pairs across their bounds must not be lost."""
    ranges = [(0, 5), (5, 9)]
    whole = flow_heatmaps(video, frame_ranges=ranges)
    for size in (1, 2, 3):
        monkeypatch.setattr(module, 'BLOCK', size)
        pieces = flow_heatmaps(video, frame_ranges=ranges)
        np.testing.assert_array_equal(pieces.values, whole.values)
    assert whole.frame_indices.tolist() == [0, 1, 2, 3, 5, 6, 7]


def test_another_algorithm(video):
    dis = flow_heatmaps(video, FlowSettings('dis', {'preset': 'fast'}))
    assert dis.meta['method_options'] == {'algorithm': 'dis', 'preset': 'fast'}
    assert np.abs(dis.values - flow_heatmaps(video).values).max() > 0.1


def test_a_still_video_is_zero_with_a_warning(tmp_path):
    path = tmp_path / 'still.avi'
    frames = np.full((4, HEIGHT, WIDTH), 128, np.uint8)
    write_video(frames, path)
    with pytest.warns(UserWarning, match='still.avi: nothing moves') as caught:
        maps = flow_heatmaps(path)
    assert len(caught) == 1
    assert maps.values.shape == (3, HEIGHT, WIDTH) and not maps.values.any()
    assert maps.meta['raw_maximum'] == 0


def write_frames(folder: Path, video: Path, template: str, start: int) -> None:
    folder.mkdir()
    for number, frame in enumerate(read_frames(video, range(len(STEPS) + 1)), start):
        cv2.imwrite(str(folder / template.format(number)), frame[..., ::-1])


def test_a_folder_of_frames_has_the_flow_of_its_video(video, tmp_path):
    write_frames(tmp_path / 'frames', video, 'im_{:03}.png', 5)
    settings = FlowSettings(filename_tmpl='im_{:03}.png', start_index=5, source_fps=10)
    maps = flow_heatmaps(tmp_path / 'frames', settings, [(2, 6)])
    expected = flow_heatmaps(video, frame_ranges=[(2, 6)])
    np.testing.assert_array_equal(maps.values, expected.values)
    assert maps.frame_indices.tolist() == [2, 3, 4]
    assert maps.meta['timestamps'] == [0.2, 0.3, 0.4]
    (tmp_path / 'frames' / 'im_008.png').write_bytes(b'no image')
    with pytest.raises(VideoError, match=r'im_008\.png is no image of 64x48'):
        flow_heatmaps(tmp_path / 'frames', settings, [(2, 6)])


ranges = st.lists(
    st.tuples(st.integers(0, 29), st.integers(1, 12)).map(lambda r: (r[0], r[0] + r[1])),
    min_size=1,
    max_size=5,
)


@pytest.mark.filterwarnings('ignore:.*frames after the video')
@settings(max_examples=100, deadline=None)
@given(chosen=ranges)
def test_no_pair_straddles_two_ranges(chosen):
    info = VideoInfo(Path('a.avi'), 30, 25.0, 4, 4, None)
    allowed = {
        first
        for first in range(29)
        if any(start <= first and first + 1 < min(end, 30) for start, end in chosen)
    }
    if allowed:
        assert first_frames(info, chosen).tolist() == sorted(allowed)
    else:
        with pytest.raises(ValueError, match='flow takes two frames'):
            first_frames(info, chosen)


def test_bad_input(video, tmp_path):
    with pytest.raises(ValueError, match='flow takes two frames'):
        flow_heatmaps(video, frame_ranges=[(3, 4)])
    with pytest.raises(ValueError, match=r'square\.avi'):
        flow_heatmaps(video, frame_ranges=[(90, 99)])
    with pytest.raises(VideoError, match='does not exist'):
        flow_heatmaps(tmp_path / 'gone.avi')
    with pytest.raises(ValueError, match='got 9'):
        FlowSettings(options={'flags': 9})
    with pytest.raises(ValueError, match='positive source_fps'):
        FlowSettings(source_fps=0)


def run(jobs, folder, **options) -> list[str]:
    return [row.status for row in export_flow(jobs, folder, '.txt', **options)]


def test_a_second_run_keeps_what_is_done(video, tmp_path):
    out = tmp_path / 'out'
    jobs = [Job(video, Path('b/square')), Job(tmp_path / 'gone.avi', Path('gone'))]
    assert run(jobs, out) == ['done', 'failed']
    written = out / 'b' / 'square.txt'
    assert len(read_heatmaps(written)) == 8
    manifest = (out / 'manifest.csv').read_text()
    assert f'{video},done,b/square.txt,,,8,' in manifest and 'gone.avi does not exist' in manifest
    before = written.stat().st_mtime_ns
    write_square(tmp_path / 'gone.avi', STEPS)  # it is there now
    assert run(jobs, out) == ['done', 'done']
    assert written.stat().st_mtime_ns == before
    assert run(jobs, out, overwrite=True) == ['done', 'done']
    assert written.stat().st_mtime_ns > before


def test_maps_of_other_settings_are_not_passed_off(video, tmp_path):
    jobs = [Job(video, Path('square'))]
    run(jobs, tmp_path / 'out')
    others = [
        (jobs, {'settings': FlowSettings('dis')}, "algorithm 'farneback', not 'dis'"),
        (jobs, {'settings': FlowSettings(options={'winsize': 5})}, 'winsize 15, not 5'),
        ([Job(video, Path('square'), ((0, 4),))], {}, 'frame_ranges'),
    ]
    for changed, options, word in others:
        with pytest.raises(ValueError, match=f'holds maps made with {word}'):
            run(changed, tmp_path / 'out', **options)
    noted = json.loads((tmp_path / 'out' / 'settings.json').read_text())
    assert noted['method'] == 'optical_flow' and noted['winsize'] == 15
    with pytest.raises(ValueError, match='holds the maps of'):
        run([Job(tmp_path / 'other.avi', Path('square'))], tmp_path / 'out')
