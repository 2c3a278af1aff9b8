"""The scripts of tools/data/kth, run as a user runs them."""

import contextlib
import functools
import http.server
import io
import json
import os
import runpy
import shutil
import subprocess
import sys
import threading
import zipfile
from fractions import Fraction
from pathlib import Path

import av
import cv2
import decord
import numpy as np
import pytest

TOOLS = Path(__file__).resolve().parents[2] / 'tools' / 'data' / 'kth'
LIST = '{}_d1\tframes\t1-12, 20-45\n'


def spawn(script, *args, **env):
    """Run a script in a process of its own."""
    command = ['bash'] if script.endswith('.sh') else [sys.executable]
    return subprocess.run(
        [*command, str(TOOLS / script), *map(str, args)],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHON': sys.executable, **env},
        timeout=300,
    )


def call(script, *args):
    """Run a Python script in this process: starting torch for every case takes its seconds."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        patch.setattr(sys, 'argv', [str(TOOLS / script), *map(str, args)])
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as exit_,
        ):
            runpy.run_path(str(TOOLS / script), run_name='__main__')
        sys.modules.pop('batch', None)  # a common name, not to be left behind
    code = exit_.value.code
    return subprocess.CompletedProcess(args, code, out.getvalue(), err.getvalue())


def write_video(path, num_frames=45, size=(160, 120)):
    """Write frames whose grey level is 10 + 5 n, with a brighter right half."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=Fraction(25))
        stream.width, stream.height = size
        stream.pix_fmt = 'yuv420p'
        stream.codec_context.options = {'qmin': '1', 'qmax': '2'}
        for number in range(num_frames):
            frame = np.full((size[1], size[0], 3), 10 + 5 * number, np.uint8)
            frame[:, size[0] // 2 :] += 15
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        container.mux(stream.encode())
    return path


def read_marks(path):
    """Numbers of the frames of a video made from one of the above, read from its left half."""
    reader = decord.VideoReader(str(path))
    return [marked(frame) for frame in reader.get_batch(range(len(reader))).asnumpy()]


def marked(image):
    return round((float(image[:, : image.shape[1] // 2 - 4].mean()) - 10) / 5)


def assert_one_line(result, code, fault):
    assert result.returncode == code, result.stderr
    assert 'Traceback' not in result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert fault in lines[0]


def hidden(folder):
    return [path for path in folder.rglob('*') if '.part' in path.name]


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp('videos')
    for name in ('person01_walking_d1', 'person02_running_d1', 'person11_running_d1'):
        write_video(folder / f'{name}_uncomp.avi')
    stems = ('person01_walking', 'person02_running', 'person11_running')
    (folder / '00sequences.txt').write_text(''.join(map(LIST.format, stems)))
    return folder


@pytest.fixture
def raw(videos, tmp_path):
    """A folder of three videos, free to be damaged."""
    return Path(shutil.copytree(videos, tmp_path / 'raw'))


@pytest.mark.parametrize(
    'script',
    [
        'download_kth.sh',
        'generate_data.sh',
        'trim_videos.py',
        'extract_frames.py',
        'build_annotations.py',
    ],
)
def test_help(script):
    result = spawn(script, '--help')
    assert result.returncode == 0 and '--' in result.stdout and not result.stderr


def test_mistakes_are_one_line_in_a_process_of_its_own(tmp_path):
    assert_one_line(spawn('trim_videos.py', '--raw-dir', tmp_path / 'no'), 2, 'does not exist')


def test_trim(raw, tmp_path):
    out = tmp_path / 'out'
    result = call('trim_videos.py', '--raw-dir', raw, '--out-dir', out)
    assert result.returncode == 0, result.stderr
    assert '3 done' in result.stdout and not result.stderr
    walking = out / 'person01_walking_d1_uncomp.avi'
    assert read_marks(walking) == list(range(10, 40))
    assert read_marks(out / 'person02_running_d1_uncomp.avi') == list(range(30))
    reader = decord.VideoReader(str(walking))
    assert reader.get_avg_fps() == 25
    trimmed = reader.get_batch(range(30)).asnumpy().astype(float)
    assert trimmed.shape == (30, 120, 120, 3)
    source = decord.VideoReader(str(raw / walking.name)).get_batch(range(10, 40)).asnumpy()
    expected = [cv2.resize(f, (120, 120), interpolation=cv2.INTER_AREA) for f in source]
    assert np.abs(trimmed - np.stack(expected)).mean() < 2
    capture = cv2.VideoCapture(str(walking))
    read = 0
    while capture.read()[0]:
        read += 1
    assert read == 30
    assert not hidden(out)


def test_trim_again(raw, tmp_path):
    out = tmp_path / 'out'
    arguments = ('trim_videos.py', '--raw-dir', raw, '--out-dir', out)
    assert call(*arguments).returncode == 0
    kept, lost = sorted(out.glob('*.avi'))[:2]
    before = kept.stat().st_mtime_ns
    lost.unlink()
    (out / f'.{lost.stem}.part.avi').write_bytes(b'left by a killed run')
    result = call(*arguments)
    assert '1 done, 2 there already' in result.stdout
    assert kept.stat().st_mtime_ns == before and lost.exists() and not hidden(out)
    assert_one_line(call(*arguments, '--num-frames', 5), 2, 'other settings (num_frames')


def test_trim_options(raw, tmp_path):
    out = tmp_path / 'out'
    result = call(
        *('trim_videos.py', '--raw-dir', raw, '--out-dir', out, '--actions', 'running'),
        *('--num-frames', 5, '--start', 'running=7', '--size', 64, 32, '--keep-colour'),
    )
    assert result.returncode == 0, result.stderr
    (one, two) = sorted(out.glob('*.avi'))
    assert read_marks(one) == read_marks(two) == list(range(7, 12))
    assert decord.VideoReader(str(one))[0].shape == (32, 64, 3)


@pytest.mark.parametrize('layout', ['flat', 'action'])
def test_trim_sequences(raw, tmp_path, layout):
    if layout == 'action':
        for action in ('walking', 'running'):
            (raw / action).mkdir()
            for path in raw.glob(f'*_{action}_*.avi'):
                path.rename(raw / action / path.name)
    out = tmp_path / 'out'
    arguments = ('--raw-dir', raw, '--out-dir', out, '--sequences', '--size', 0, 0)
    result = call('trim_videos.py', *arguments)
    assert result.returncode == 0, result.stderr
    folder = out / 'walking' if layout == 'action' else out
    assert read_marks(folder / 'person01_walking_d1_seq0.avi') == list(range(12))
    assert read_marks(folder / 'person01_walking_d1_seq1.avi') == list(range(19, 45))
    assert len(list(out.rglob('*.avi'))) == 6


def test_trim_keeps_colour_only_when_asked(tmp_path):
    raw = tmp_path / 'raw'
    raw.mkdir()
    path = raw / 'person01_running_d1.avi'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        frame = np.full((48, 64, 3), (200, 40, 40), np.uint8)
        for _ in range(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        container.mux(stream.encode())
    for option, spread in ((), 0), (('--keep-colour',), 100):
        out = tmp_path / f'out{spread}'
        arguments = ('--raw-dir', raw, '--out-dir', out, '--num-frames', 4, *option)
        assert call('trim_videos.py', *arguments).returncode == 0
        pixel = decord.VideoReader(str(out / path.name))[0].asnumpy()[20, 20].astype(int)
        assert spread <= pixel.max() - pixel.min() <= spread + 100 * bool(spread)


def test_bad_videos_do_not_stop_the_others(raw, tmp_path):
    (raw / 'person03_running_d1_uncomp.avi').write_bytes(b'')
    (raw / 'person04_running_d1_uncomp.avi').write_text('this is no video\n' * 100)
    whole = (raw / 'person02_running_d1_uncomp.avi').read_bytes()
    (raw / 'person05_running_d1_uncomp.avi').write_bytes(whole[: len(whole) // 3])
    write_video(raw / 'person06_running_d1_uncomp.avi', 12)
    out = tmp_path / 'out'
    result = call('trim_videos.py', '--raw-dir', raw, '--out-dir', out)
    assert result.returncode == 3
    assert 'Traceback' not in result.stderr
    lines = result.stderr.strip().splitlines()
    assert [line.split('_')[0] for line in lines] == [f'failed: person0{n}' for n in (3, 4, 5, 6)]
    assert 'only 12' in lines[3]
    assert len(list(out.glob('*.avi'))) == 3 and not hidden(out)


def test_bad_usage(raw, tmp_path):
    out = tmp_path / 'out'
    common = ('trim_videos.py', '--raw-dir', raw, '--out-dir', out)
    assert_one_line(call('trim_videos.py', '--raw-dir', tmp_path / 'no'), 2, 'does not exist')
    assert_one_line(call(*common, '--foo'), 2, '--foo')
    assert_one_line(call(*common, '--num-frames', 'x'), 2, "'x'")
    assert_one_line(call(*common, '--num-frames', 0), 2, '1 or more')
    assert_one_line(call(*common, '--start', 'walking'), 2, 'ACTION=N')
    assert_one_line(call(*common, '--size', 0, 5), 2, '--size')
    assert_one_line(call(*common, '--actions', 'boxing'), 2, 'no video files of boxing')
    assert_one_line(call(*common, '--sequences', '--num-frames', 3), 2, 'drop --num-frames')
    assert_one_line(call(*common, '--sequences', raw / 'no.txt'), 2, 'no.txt')
    (raw / 'bad.txt').write_text('person01_walking_d1 frames 9-1\n')
    assert_one_line(call(*common, '--sequences', raw / 'bad.txt'), 2, 'line 1')
    (raw / 'bad.txt').write_text('person01_walking_d1 frames 1-9\n')
    assert_one_line(call(*common, '--sequences', raw / 'bad.txt'), 2, 'not in the list')
    assert_one_line(call('trim_videos.py', '--raw-dir', raw, '--out-dir', raw), 2, 'same folder')
    assert not list(raw.glob('*.json')) and not out.exists()


def test_output_folder_that_cannot_be(raw, tmp_path):
    (tmp_path / 'file').touch()
    for script, option in ('trim_videos.py', '--raw-dir'), ('extract_frames.py', '--video-dir'):
        result = call(script, option, raw, '--out-dir', tmp_path / 'file' / 'out')
        assert_one_line(result, 2, 'cannot write')


@pytest.mark.skipif(not hasattr(os, 'geteuid') or os.geteuid() == 0, reason='root may write all')
def test_output_folder_without_permission(raw, tmp_path):
    locked = tmp_path / 'locked'
    locked.mkdir(mode=0o500)
    result = call('trim_videos.py', '--raw-dir', raw, '--out-dir', locked)
    assert_one_line(result, 2, 'cannot write')


def test_extract_frames(raw, tmp_path):
    (raw / 'person04_running_d1_uncomp.avi').write_text('this is no video')
    out = tmp_path / 'images'
    result = call('extract_frames.py', '--video-dir', raw, '--out-dir', out)
    assert result.returncode == 3 and 'failed: person04' in result.stderr
    assert len(result.stderr.splitlines()) == 1
    clip = out / 'person01_walking_d1_uncomp'
    assert sorted(path.name for path in clip.iterdir()) == [
        f'image_{number:05d}.jpg' for number in range(1, 46)
    ]
    images = [cv2.imread(str(path)) for path in sorted(clip.iterdir())]
    assert [marked(image) for image in images] == list(range(45))
    assert not (out / 'person04_running_d1_uncomp').exists() and not hidden(out)
    (raw / 'person04_running_d1_uncomp.avi').unlink()
    result = call('extract_frames.py', '--video-dir', raw, '--out-dir', out)
    assert result.returncode == 0 and '0 done, 3 there already' in result.stdout


def test_annotations(tmp_path):
    clips = tmp_path / 'clips'
    for person in range(1, 26):
        for action in ('walking', 'running', 'boxing'):
            (clips / f'person{person:02d}_{action}_d1_uncomp').mkdir(parents=True)
    common = ('build_annotations.py', '--clip-dir', clips)
    result = call(*common)
    assert result.returncode == 0, result.stderr
    content = json.loads((tmp_path / 'annotations' / 'kth_person.json').read_text())
    assert content['labels'] == ['walking', 'running']
    assert len(content['database']) == 50
    assert content['database']['person11_walking_d1_uncomp'] == {
        'subset': 'training',
        'annotations': {'label': 'walking'},
    }
    out = tmp_path / 'r.json'
    assert call(*common, '--split', 'random', '--seed', 3, '--out', out).returncode == 0
    subsets = {}
    for clip, entry in json.loads(out.read_text())['database'].items():
        subsets.setdefault(clip[:8], set()).add(entry['subset'])
    assert all(len(found) == 1 for found in subsets.values())
    ratios = ('--split', 'random', '--ratios', 1, 1, 1)
    assert_one_line(call(*common, *ratios), 2, 'sum 1')
    assert_one_line(call(*common, '--actions', 'swimming'), 2, 'expected some of')
    (clips / 'person26_walking_d1').mkdir()
    assert_one_line(call(*common), 2, 'persons 1 to 25')
    (tmp_path / 'file').touch()
    arguments = ('--actions', 'running', '--out', tmp_path / 'file' / 'x.json')
    assert_one_line(call(*common, *arguments), 2, 'cannot write')


def test_generate_data(raw, tmp_path):
    from mmsal.datasets import KTHDataset

    arguments = ('--raw-dir', raw, '--trimmed-dir', tmp_path / 't', '--out-dir', tmp_path / 'kth')
    for seen in ('3 done', '0 done, 3 there already'):
        result = spawn('generate_data.sh', *arguments, '--num-frames', 20, '--size', 60, 40)
        assert result.returncode == 0, result.stderr
        assert seen in result.stdout
    dataset = KTHDataset(
        'annotations/kth_person.json',
        data_root=str(tmp_path / 'kth'),
        data_prefix={'img': 'image_data'},
        split='json',
        subset='train',
    )
    assert dataset.get_data_info(0)['video_id'] == 'person11_running_d1'
    assert dataset.get_data_info(0)['total_frames'] == 20
    image = cv2.imread(str(Path(dataset.get_data_info(0)['frame_dir']) / 'image_00001.jpg'))
    assert image.shape == (40, 60, 3)


def test_generate_data_of_sequences_with_a_bad_file(raw, tmp_path):
    (raw / 'person11_running_d1_uncomp.avi').write_bytes(b'')
    result = spawn(
        *('generate_data.sh', '--raw-dir', raw, '--trimmed-dir', tmp_path / 't', '--sequences'),
        *('--out-dir', tmp_path / 'kth', '--split', 'random', '--seed', 4),
        *('--ratios', '0.5', '0', '0.5', '--group', 'file'),
    )
    assert result.returncode == 3
    assert result.stderr.count('\n') == result.stderr.count('failed: person11_running_d1_seq') == 2
    content = json.loads((tmp_path / 'kth/annotations/kth_random_seed4.json').read_text())
    subsets = {clip: entry['subset'] for clip, entry in content['database'].items()}
    assert len(subsets) == 4 and set(subsets.values()) == {'training', 'testing'}
    assert subsets['person01_walking_d1_seq0'] == subsets['person01_walking_d1_seq1']


@pytest.mark.parametrize(
    'arguments', [['--foo'], ['--size', '5'], ['--actions'], ['--raw-dir', 'nowhere']]
)
def test_generate_data_bad_usage(tmp_path, arguments):
    places = ('--trimmed-dir', tmp_path / 't', '--out-dir', tmp_path / 'o')
    assert_one_line(spawn('generate_data.sh', *places, *arguments), 2, 'error: ')
    assert not list(tmp_path.iterdir())


@pytest.fixture
def site(tmp_path):
    """A folder as on KTH's site, with small archives."""
    folder = tmp_path / 'site'
    folder.mkdir()
    (folder / '00sequences.txt').write_text(LIST.format('person01_walking'))
    for action in ('walking', 'running', 'boxing'):
        with zipfile.ZipFile(folder / f'{action}.zip', 'w') as archive:
            for person in (1, 2):
                name = f'person0{person}_{action}_d1_uncomp.avi'
                archive.writestr(f'{action}/{name}' if person == 1 else name, os.urandom(50_000))
    return folder


@pytest.fixture
def served(site):
    """The site over HTTP; the server does not know how to continue a download."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Handler, directory=str(site))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}/'
        server.shutdown()


def names_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file())


DEFAULT_FILES = [
    '00sequences.txt',
    'running/person01_running_d1_uncomp.avi',
    'running/person02_running_d1_uncomp.avi',
    'walking/person01_walking_d1_uncomp.avi',
    'walking/person02_walking_d1_uncomp.avi',
]
needs_curl = pytest.mark.skipif(not shutil.which('curl'), reason='no curl')


@pytest.mark.parametrize('downloader', ['curl', 'wget'])
@pytest.mark.parametrize('start', ['empty', 'partial', 'complete', 'damaged'])
def test_download(served, site, tmp_path, downloader, start):
    if not shutil.which(downloader):
        pytest.skip(f'no {downloader}')
    out = tmp_path / 'out'
    out.mkdir()
    whole = (site / 'walking.zip').read_bytes()
    left = {'empty': b'', 'partial': whole[:40_000], 'complete': whole, 'damaged': b'x' * 999_999}
    if left[start]:
        (out / 'walking.zip.part').write_bytes(left[start])
        (out / '00sequences.txt.part').write_text('person01_boxing_d1 frames 1-9\n')
    arguments = ('download_kth.sh', '--base-url', served, '--out-dir', out)
    for _ in range(2):
        result = spawn(*arguments, DOWNLOADER=downloader)
        assert result.returncode == 0, result.stderr
        assert not result.stderr
        assert names_in(out) == DEFAULT_FILES
    assert 'download http' not in result.stdout
    assert (out / '00sequences.txt').read_text() == (site / '00sequences.txt').read_text()


@needs_curl
def test_download_goes_on_where_it_stopped(site, tmp_path):
    out = tmp_path / 'out'
    out.mkdir()
    # curl continues file:// URLs, so the beginning must be the one that was there.
    whole = (site / 'boxing.zip').read_bytes()
    (out / 'boxing.zip.part').write_bytes(whole[:40_000])
    (site / 'boxing.zip').write_bytes(b'?' * 40_000 + whole[40_000:])
    result = spawn(
        *('download_kth.sh', '--base-url', site.as_uri(), '--out-dir', out),
        *('--actions', 'boxing', '--keep-zips'),
        DOWNLOADER='curl',
    )
    assert result.returncode == 0, result.stderr
    assert (out / 'boxing.zip').read_bytes() == whole


@needs_curl
def test_download_failures(served, site, tmp_path):
    out = tmp_path / 'out'
    common = ('download_kth.sh', '--base-url', served, '--out-dir', out)
    (site / 'walking.zip').write_bytes(b'<html>moved</html>')
    result = spawn(*common)
    assert_one_line(result, 3, 'walking.zip sends is not the expected file')
    assert names_in(out) == DEFAULT_FILES[:3]
    assert_one_line(spawn(*common, '--actions', 'jogging'), 3, 'cannot download')
    (out / 'handwaving.zip.part').write_bytes(b'a beginning')
    assert_one_line(spawn(*common, '--actions', 'handwaving'), 3, 'cannot download')
    assert (out / 'handwaving.zip.part').read_bytes() == b'a beginning'
    assert_one_line(spawn(*common, '--actions', 'swimming'), 2, 'unknown action swimming')
    assert_one_line(spawn(*common, '--actions'), 2, 'at least one')
    assert_one_line(spawn(*common, '--foo'), 2, '--foo')
    assert_one_line(spawn('download_kth.sh', '--out-dir'), 2, 'needs a value')
    assert_one_line(spawn('download_kth.sh', '--out-dir', site / 'walking.zip'), 2, 'cannot write')
