"""The notebook from top to bottom, and the SYNTHETIC example that it runs on."""

import importlib.util
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsal.datasets.synthetic.files import write_video
from mmsal.datasets.video import probe_video, read_frames
from mmsal.gaze import read_fixation_table, validate_fixations, write_fixation_table
from mmsal.heatmaps import HeatmapSequence, read_heatmap_meta, read_heatmaps, write_heatmaps

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / 'saliency_metrics_comparison'
NOTEBOOK = FOLDER / 'saliency_metrics_comparison.ipynb'
EXAMPLE = FOLDER / 'example'
CUT = '../saliency_metrics_comparison/example/cut_example.py'
# A path of some machine: from the root through a home or temporary folder, or from a drive.
MACHINE = re.compile(r'(?<![\w.])/(home|root|Users|tmp|work|mnt|data|opt|usr)/|\b[A-Z]:\\')

# What the notebook's own numbers are held against, run after its last cell.
CHECKS = """
chosen = saliency['gradcam'].astype(float)
columns, rows_ = np.floor(points).astype(int).T
by_hand = (chosen[rows_, columns].mean() - chosen.mean()) / chosen.std()
assert abs(scores['gradcam']['NSS', 'tuebingen'] - by_hand) < 1e-5
pooled = results[(results['reference'] == 'all observers') & (results['model'] == 'gradcam')]
pooled = pooled[(pooled['metric'] == 'NSS') & (pooled['convention'] == 'tuebingen')]
of_video = pooled[pooled['video'] == VIDEO]
of_frame = of_video[(of_video['level'] == 'frame') & (of_video['frame'] == FRAME)]
assert abs(of_frame['value'].item() - by_hand) < 1e-5
frames_ = of_video.loc[of_video['level'] == 'frame', 'value']
assert abs(of_video.loc[of_video['level'] == 'video', 'value'].item() - frames_.mean()) < 1e-9
mean = summary.set_index(['model', 'reference', 'level', 'metric', 'convention'])['mean']
videos_ = pooled.loc[pooled['level'] == 'video', 'value']
key = ('gradcam', 'all observers', 'video', 'NSS', 'tuebingen')
assert len(videos_) == 6 and abs(mean[key] - videos_.mean()) < 1e-9
assert (abs(bias['AUC-Judd'] - bias['expected of it']) < 0.05).all()
assert (abs(bias['exact AUC'] - 0.5) < 0.05).all()
assert report.is_file() and 'SYNTHETIC' in report.read_text(encoding='utf-8')
shell = pd.read_csv(out / 'comparison/results.csv')
keys = ['video', 'model', 'reference', 'level', 'metric', 'convention']
whole = [one[one['level'] == 'video'].set_index(keys)['value'] for one in (shell, results)]
np.testing.assert_allclose(whole[0], whole[1][whole[0].index], rtol=1e-9)
print('CHECKED', len(whole[0]))
"""


# --- the notebook ------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(tmp_path, monkeypatch):
    import nbformat
    from ipykernel.kernelspec import write_kernel_spec
    from nbclient import NotebookClient

    # The command finds tools/command_line.py beside its own folder.
    folder = shutil.copytree(FOLDER, tmp_path / FOLDER.name)
    (tmp_path / 'tools').mkdir()
    shutil.copy(ROOT / 'tools' / 'command_line.py', tmp_path / 'tools')
    # A kernel of this Python, whichever others the machine knows by the usual name.
    write_kernel_spec(tmp_path / 'jupyter' / 'kernels' / 'this_python')
    monkeypatch.setenv('JUPYTER_PATH', str(tmp_path / 'jupyter'))
    (tmp_path / 'temporary').mkdir()
    monkeypatch.setenv('TMPDIR', str(tmp_path / 'temporary'))
    # As in a notebook that a user opens, whatever this environment draws with.
    monkeypatch.setenv('MPLBACKEND', 'module://matplotlib_inline.backend_inline')
    before = files_of(folder)

    notebook = nbformat.read(folder / NOTEBOOK.name, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(CHECKS))
    client = NotebookClient(
        notebook, timeout=250, kernel_name='this_python',
        resources={'metadata': {'path': str(folder)}},
    )  # fmt: skip
    client.execute()

    printed = {cell.id: text_of(cell) for cell in notebook.cells if cell.cell_type == 'code'}
    *_, checked = printed.values()
    assert re.search(r'CHECKED [1-9]', checked)
    # One sentence for the two methods, one for each with each of five yardsticks.
    sentences = [line for line in printed['verdicts'].splitlines() if line.strip()]
    assert len(sentences) == 1 + 2 * 5
    assert all('gradcam' in one or 'layercam' in one for one in sentences)
    assert 'left out: nothing' in printed['compare']
    assert r'\begin{table}' in printed['tables'] and 'SYNTHETIC data' in printed['tables']
    path = re.search(r'Open this in a browser: (.+)', printed['report'])[1]
    assert Path(path).is_relative_to(tmp_path / 'temporary') and Path(path).is_file()
    figures = [cell.id for cell in notebook.cells if has_figure(cell)]
    assert figures == [
        'one-frame-figure', 'sigma-figure', 'judd-bias', 'time-course', 'yardsticks-figure',
    ]  # fmt: skip
    errors = [text for text in printed.values() if 'Warning' in text]
    assert errors == []
    assert files_of(folder) == before  # nothing is written beside the notebook


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file() and '__pycache__' not in path.parts
    }


def text_of(cell) -> str:
    """All that a cell has printed or shown as text."""
    texts = []
    for output in cell.outputs:
        shown = output.get('data', {})
        texts.append(output.get('text') or shown.get('text/markdown') or shown.get('text/plain'))
    return '\n'.join(text for text in texts if text)


def has_figure(cell) -> bool:
    return any('image/png' in output.get('data', {}) for output in cell.get('outputs', ()))


def test_the_notebook_is_shipped_clean():
    notebook = json.loads(NOTEBOOK.read_text(encoding='utf-8'))
    code = [cell for cell in notebook['cells'] if cell['cell_type'] == 'code']
    assert len(code) > 10
    for cell in code:
        assert cell['outputs'] == [] and cell['execution_count'] is None
    assert notebook['metadata']['kernelspec']['name'] == 'python3'
    assert not MACHINE.search(NOTEBOOK.read_text(encoding='utf-8'))
    assert 'SYNTHETIC' in ''.join(notebook['cells'][0]['source'])


# --- the example -------------------------------------------------------------------------------


def test_the_example_is_small_and_of_no_machine():
    files = [path for path in EXAMPLE.rglob('*') if path.is_file() and path.suffix != '.pyc']
    assert sum(path.stat().st_size for path in files) < 1.5e6
    sidecars = [path for path in files if path.suffix == '.json']
    assert len(sidecars) == 12
    for path in [*sidecars, EXAMPLE / 'README.md', EXAMPLE / 'fixations.csv']:
        assert not MACHINE.search(path.read_text(encoding='utf-8')), path
    assert all(json.loads(path.read_text())['synthetic'] is True for path in sidecars)
    assert 'SYNTHETIC' in (EXAMPLE / 'README.md').read_text(encoding='utf-8')


def test_the_example_has_maps_videos_and_gaze_of_the_same_frames():
    fixations = read_fixation_table(EXAMPLE / 'fixations.csv')
    videos = sorted((EXAMPLE / 'videos').glob('*.mp4'))
    assert {path.name for path in videos} == set(fixations['video']) and len(videos) == 6
    for path in videos:
        info = probe_video(path)
        for method in ('gradcam', 'layercam'):
            maps = read_heatmaps(EXAMPLE / 'heatmaps' / method / f'{path.stem}.txt.gz')
            assert maps.values.shape[1:] == (info.height, info.width)
            times = info.timestamps[maps.frame_indices]
            np.testing.assert_allclose(maps.meta['timestamps'], times, atol=1e-5)
            assert (maps.meta['fps'], maps.meta['num_frames']) == (info.fps, info.frames)
        own = fixations[fixations['video'] == path.name]
        assert own['start_s'].min() >= 0 and own['end_s'].max() <= info.frames / info.fps + 1e-6


# --- how it is cut -----------------------------------------------------------------------------

SIZE, FRAMES, FPS = (64, 48), 40, 25.0
NAMES = ('person02_walking_d1', 'person02_running_d1')
MAPPED = range(13, 29)  # 16 frames, as a clip of 16 frames leaves


def mark(frame: int, clip: int) -> tuple[int, int]:
    """Middle of the marked pixels of a frame (x, y): no two frames have the same."""
    return 6 + frame, 10 + 20 * clip


@pytest.fixture(scope='module')
def demo(tmp_path_factory) -> Path:
    """What the demo leaves, as far as it is cut: SYNTHETIC, each frame marked at its own place."""
    folder = tmp_path_factory.mktemp('demo')
    rows = []
    for clip, name in enumerate(NAMES):
        frames = np.zeros((FRAMES, SIZE[1], SIZE[0]), np.uint8)
        maps = np.zeros(frames.shape, np.float32)
        for frame in range(FRAMES):
            x, y = mark(frame, clip)
            frames[frame, y - 3 : y + 4, x - 3 : x + 4] = 255
            maps[frame, y, x] = frame / FRAMES
            shown = (frame + 0.1) / FPS, (frame + 0.9) / FPS
            rows.append((f'{name}_uncomp.avi', f'P{frame % 2}', *shown, x + 0.5, y + 0.5))
        write_video(frames, folder / 'synthetic_kth' / f'{name}_uncomp.avi')
        meta = {
            'fps': FPS, 'video': str(folder / 'clip.avi'), 'config': str(folder / 'net.py'),
            'checkpoint': {'path': str(folder / 'epoch_12.pth')}, 'num_frames': FRAMES,
            'source_size': list(SIZE), 'space': 'source', 'method': 'gradcam',
            'seen_frames': [*MAPPED][::2],
        }  # fmt: skip
        for part in ('heatmaps', 'layercam/heatmaps'):
            (folder / part).mkdir(parents=True, exist_ok=True)
            sequence = HeatmapSequence(maps[MAPPED], np.array(MAPPED), meta)
            write_heatmaps(sequence, folder / part / f'{name}_uncomp.txt')
    # From before the cut into it, and beyond its end; one elsewhere altogether.
    for begin, end in ((4.0, 10.5), (31.0, 39.0), (36.5, 38.0)):
        rows.append((f'{NAMES[0]}_uncomp.avi', 'P2', begin / FPS, end / FPS, 1.0, 1.0))
    columns = ['video', 'observer', 'start_s', 'end_s', 'x_px', 'y_px']
    write_fixation_table(
        pd.DataFrame(rows, columns=columns), folder / 'synthetic_kth' / 'fixations.csv'
    )
    return folder


def test_a_marked_pixel_stays_on_its_frame_and_time(command, demo, tmp_path):
    options = '--persons', 2, '--frames', 24
    code, out, err = command(CUT, demo, tmp_path / 'cut', *options)
    assert (code, err) == (0, '') and 'SYNTHETIC' in out
    fixations = read_fixation_table(tmp_path / 'cut' / 'fixations.csv')
    first = 9  # (16 - 24) / 2 before the first map
    for clip, name in enumerate(NAMES):
        pictures = read_frames(tmp_path / 'cut' / 'videos' / f'{name}.mp4', range(24))[..., 0]
        own = fixations[(fixations['video'] == f'{name}.mp4') & (fixations['observer'] != 'P2')]
        maps = read_heatmaps(tmp_path / 'cut' / 'heatmaps' / 'layercam' / f'{name}.txt.gz')
        assert maps.frame_indices.tolist() == [frame - first for frame in MAPPED]
        assert len(own) == 24
        for frame in range(24):
            x, y = mark(frame + first, clip)
            bright = np.argwhere(pictures[frame] > 128).mean(axis=0)
            np.testing.assert_allclose(bright, (y, x), atol=0.5)
            now = own[(own['start_s'] * FPS).astype(int) == frame]
            assert now[['x_px', 'y_px']].to_numpy().tolist() == [[x + 0.5, y + 0.5]]
            np.testing.assert_allclose(now['start_s'] * FPS, frame + 0.1, atol=1e-3)
        for frame, one in zip(maps.frame_indices, maps.values, strict=True):
            x, y = mark(int(frame) + first, clip)
            assert np.unravel_index(one.argmax(), one.shape) == (y, x)
            assert abs(one.max() - (frame + first) / FRAMES) <= 0.005 + 1e-6
    over = fixations[fixations['observer'] == 'P2']
    np.testing.assert_allclose(over['start_s'] * FPS, [0, 31 - first], atol=1e-3)
    np.testing.assert_allclose(over['end_s'] * FPS, [10.5 - first, 24], atol=1e-3)


def test_a_cut_tells_where_it_is_from_but_no_path(command, demo, tmp_path):
    assert command(CUT, demo, tmp_path, '--persons', 2, '--frames', 10)[0] == 0
    meta = read_heatmap_meta(tmp_path / 'heatmaps' / 'gradcam' / f'{NAMES[0]}.txt.gz')
    # Of 16 frames with maps the middle 10.
    assert meta['cut_from'] == {'video': f'{NAMES[0]}_uncomp.avi', 'frames': [16, 25]}
    assert meta['seen_frames'] == [1, 3, 5, 7, 9]  # 17, 19, ...
    assert (meta['video'], meta['config']) == (f'{NAMES[0]}.mp4', 'net.py')
    np.testing.assert_allclose(meta['timestamps'], np.arange(10) / FPS, atol=1e-5)
    assert str(demo) not in json.dumps(meta)


def test_the_same_demo_gives_the_same_bytes(command, demo, tmp_path):
    for name in ('one', 'two'):
        assert command(CUT, demo, tmp_path / name, '--persons', 2)[0] == 0
    one = files_of(tmp_path / 'one')
    assert one == files_of(tmp_path / 'two')
    assert len(one) == 2 + 2 * 2 * 2 + 1  # videos, maps with sidecars, fixations


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (('--persons', 7), 'person07_walking_d1'),
        (('--persons', 2, '--frames', 41), f'expected 1 to {FRAMES} frames to cut, got 41'),
        (('--persons', 2, '--frames', 0), f'expected 1 to {FRAMES} frames to cut, got 0'),
        (('--persons', 2, '--decimals', 0), 'expected decimals from 1'),
    ],
)
def test_a_mistake_is_one_line(command, demo, tmp_path, options, message):
    code, _, err = command(CUT, demo, tmp_path, *options)
    assert code == 2
    assert message in err and err.count('\n') == 1


@pytest.fixture(scope='module')
def cutting():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location('cut_example', EXAMPLE / 'cut_example.py')
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'path', [str(ROOT / 'tools'), *sys.path])
        spec.loader.exec_module(module)
    return module


# In hundredths of milliseconds, the last digits such that no overlap is exactly a millisecond.
# Brief ones are tried as often as others, for what cutting leaves of a fixation may be brief.
spans = st.lists(
    st.tuples(st.integers(-500, 12_000), st.integers(0, 60) | st.integers(0, 3000)).map(
        lambda span: (10 * span[0] + 3, 10 * (span[0] + span[1]) + 5)
    ),
    max_size=8,
)


@given(spans=spans, first=st.integers(0, 20), length=st.integers(1, 10))
def test_every_frame_shows_what_it_showed_before(cutting, spans, first, length):
    edges = np.arange(32) / FPS
    times = np.array(spans, float).reshape(-1, 2) / 1e5
    table = validate_fixations(
        pd.DataFrame(
            {'video': 'clip', 'observer': [f'P{row}' for row in range(len(times))],
             'start_s': times[:, 0], 'end_s': times[:, 1], 'x_px': 1.0, 'y_px': 1.0}
        )
    )  # fmt: skip
    moment = cutting.Moment(
        first, edges[first : first + length], edges[first + 1 : first + length + 1]
    )
    cut = cutting.cut_fixations(table, moment)
    for frame in range(length):
        before = shown_in(table, edges[first + frame], edges[first + frame + 1])
        assert shown_in(cut, edges[frame], edges[frame + 1]) == before
    assert (cut['start_s'] >= 0).all() and (cut['end_s'] <= length / FPS + 1e-6).all()


def shown_in(table: pd.DataFrame, start: float, end: float) -> set[str]:
    """Observers with a fixation in a frame: over a millisecond of it, or, if brief, its begin."""
    shown = set()
    for row in table.itertuples():
        brief = row.end_s - row.start_s <= 0.002
        overlap = min(row.end_s, end) - max(row.start_s, start)
        if (start <= row.start_s < end) if brief else overlap > 0.001:
            shown.add(row.observer)
    return shown
