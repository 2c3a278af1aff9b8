"""vis_cam.py as processes: killed and run again, several that share a list, and their memory."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from mmsal.heatmaps import read_heatmaps
from tests.tools.test_vis_cam import VIS_CAM, files_in, read_manifest
from tests.tools.test_vis_cam_many import NAMES, stamps, write_list

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.usefixtures('one_thread')


@dataclass(frozen=True)
class Finished:
    """A command that has ended; ``outlived``: some process of its session has not."""

    returncode: int
    stdout: str
    outlived: bool


def run(*words, cwd: Path, **environment) -> Finished:
    """Run a command with this Python's folder first in PATH, in a session of its own.

    Its output goes into a file: workers that outlive a killed parent would hold pipes open.
    """
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    with (cwd / 'log').open('w+') as log:
        process = subprocess.Popen(
            [str(word) for word in words], stdout=log, stderr=log, cwd=cwd, start_new_session=True,
            env={**os.environ, 'PATH': path, 'OMP_NUM_THREADS': '1', **environment},
        )  # fmt: skip
        try:
            status = process.wait(300)
            outlived = is_alive_after(process.pid, 12)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.seek(0)
        return Finished(status, log.read(), outlived)


def is_alive_after(session: int, seconds: float) -> bool:
    """Whether a session still has processes; as soon as it has none, or after these seconds."""
    deadline = time.monotonic() + seconds
    while any(session == one for one in sessions()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return any(session == one for one in sessions())


def sessions() -> Iterator[int]:
    """Of all processes but zombies; of none where there is no /proc."""
    for path in Path('/proc').glob('[0-9]*/stat'):
        with suppress(OSError):  # it has just ended
            state, _, _, session, *_ = path.read_text().rpartition(')')[2].split()
            if state != 'Z':
                yield int(session)


def hidden(folder: Path) -> set[str]:
    return {name for name in files_in(folder) if Path(name).name.startswith('.')}


@pytest.fixture
def vis_cam(command, config_path, checkpoint_path):
    """Run vis_cam.py on the small recognizer in this process."""

    def call(listed, out):
        words = [config_path, checkpoint_path, listed, '--file-url', out, '--device', 'cpu']
        return command(VIS_CAM, *words, '--workers', 0)

    return call


# --- killed -------------------------------------------------------------------------------------

KILLED = """
import os, runpy, signal, sys
from mmsal.heatmaps import text

whole, frames = text.format_grid, []

def killed(frame, decimals):
    frames.append(1)
    if len(frames) == 8 + 16 + 3:  # of the third video, two frames are written
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(frame, decimals)

text.format_grid = killed
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


@pytest.fixture(scope='module')
def after_kill(tmp_path_factory, clips, config_path, checkpoint_path):
    """Folder of a list and of what a run left that was killed while it wrote the third file."""
    folder = tmp_path_factory.mktemp('killed')
    listed = write_list(folder / 'list.txt', clips)
    words = [ROOT / 'tools' / VIS_CAM, config_path, checkpoint_path, listed, '--file-url', 'out']
    done = run(sys.executable, '-c', KILLED, *words, '--device', 'cpu', '--workers', 2, cwd=folder)
    assert done.returncode == -signal.SIGKILL, done.stdout[-2000:]
    return folder, done


@pytest.fixture
def stopped(after_kill, tmp_path):
    return Path(shutil.copytree(after_kill[0], tmp_path / 'stopped'))


def test_workers_end_with_a_killed_parent(after_kill):
    assert not after_kill[1].outlived


def test_killed_in_the_middle_of_a_list_leaves_whole_files_only(stopped):
    assert list(stamps(stopped / 'out')) == [f'{name}.txt' for name in NAMES[:2]]
    for name, row in read_manifest(stopped / 'out').items():
        maps = read_heatmaps(stopped / 'out' / row['output'])
        assert row['status'] == 'done'
        assert Path(name).stem in NAMES[:2]
        assert len(maps) == int(row['frames'])


def test_run_again_does_the_rest(vis_cam, stopped):
    before = stamps(stopped / 'out')
    status, _, errors = vis_cam(stopped / 'list.txt', stopped / 'out')
    assert status == 0, errors
    after = stamps(stopped / 'out')
    assert list(after) == [f'{name}.txt' for name in NAMES]
    assert {name: after[name] for name in before} == before
    rows = read_manifest(stopped / 'out')
    assert [Path(name).stem for name in rows] == NAMES
    assert {row['status'] for row in rows.values()} == {'done'}
    for name in after:
        assert len(read_heatmaps(stopped / 'out' / name)) in (8, 16)


def test_run_again_leaves_no_partial_file(vis_cam, stopped):
    assert hidden(stopped / 'out')  # else there is nothing to clear away
    assert vis_cam(stopped / 'list.txt', stopped / 'out')[0] == 0
    assert hidden(stopped / 'out') == set()


# --- several processes --------------------------------------------------------------------------

WITNESS = '''
"""Notes which process writes which file, once a config imports it."""
import os
from pathlib import Path
from mmsal.explain import batch

write = batch.write_heatmaps

def witnessed(maps, path, **options):
    with open(os.environ['WITNESS'], 'a') as log:
        log.write(f"{os.environ['RANK']} {Path(path).stem}\\n")
    write(maps, path, **options)

batch.write_heatmaps = witnessed
'''


@pytest.fixture
def shared(tmp_path, config_path, checkpoint_path):
    """Run dist_vis_cam.sh with two CPU processes; who wrote what."""
    (tmp_path / 'witness.py').write_text(WITNESS)
    config = tmp_path / 'witnessed.py'
    config.write_text(
        f'_base_ = [{str(config_path)!r}]\n'
        "custom_imports = dict(imports=['mmsal', 'witness'], allow_failed_imports=False)\n"
    )
    log = tmp_path / 'witnessed.txt'

    def call(listed, out, *more):
        log.write_text('')
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = free.getsockname()[1]
        words = [config, checkpoint_path, listed, out, 2, '--device', 'cpu', '--workers', 1, *more]
        done = run(
            'bash', ROOT / 'tools' / 'dist_vis_cam.sh', *words, cwd=tmp_path, PORT=str(port),
            PYTHONPATH=f'{tmp_path}{os.pathsep}{ROOT}', WITNESS=str(log), OVERLAYS='0',
        )  # fmt: skip
        return done, [line.split() for line in log.read_text().splitlines()]

    return call


@pytest.mark.skipif(torch.cuda.device_count() == 1, reason='two processes need two GPUs or none')
def test_processes_share_a_list(vis_cam, shared, clips, tmp_path):
    for name in NAMES[:5]:
        (tmp_path / f'{name}.avi').symlink_to(clips / f'{name}.avi')
    listed = write_list(tmp_path / 'list.txt', tmp_path)
    damaged = tmp_path / f'{NAMES[5]}.avi'
    damaged.write_bytes((clips / damaged.name).read_bytes()[:20_000])

    done, wrote = shared(listed, 'out')
    assert done.returncode == 3, done.stdout[-3000:]
    assert Counter(name for _, name in wrote) == Counter(NAMES[:5])
    # Every second video: of six, three each, of which the second process's last cannot be read.
    assert Counter(rank for rank, _ in wrote) == {'0': 3, '1': 2}
    out = tmp_path / 'out' / 'heatmaps'
    rows = read_manifest(out)
    assert {Path(name).stem: row['status'] for name, row in rows.items()} == {
        **dict.fromkeys(NAMES[:5], 'done'),
        NAMES[5]: 'failed',
    }
    assert len((out / 'manifest.csv').read_text().splitlines()) == 7
    assert hidden(out) == set()
    told = [line for line in done.stdout.splitlines() if line.startswith('failed: ')]
    assert len(told) == 1 and damaged.name in told[0]
    assert '5 of 6 videos' in done.stdout
    assert 'Traceback' not in done.stdout
    assert not done.outlived

    assert vis_cam(listed, tmp_path / 'single')[0] == 3
    assert files_in(tmp_path / 'single') == files_in(out)
    for name in stamps(out):
        assert (out / name).read_bytes() == (tmp_path / 'single' / name).read_bytes()

    before = stamps(out)
    shutil.copy(clips / damaged.name, damaged)
    done, wrote = shared(listed, 'out')
    assert (done.returncode, wrote) == (0, [['1', NAMES[5]]]), done.stdout[-3000:]
    assert {name: stamps(out)[name] for name in before} == before
    assert {row['status'] for row in read_manifest(out).values()} == {'done'}


def test_a_mistake_of_all_processes_is_one_line(shared, clips, tmp_path):
    listed = write_list(tmp_path / 'list.txt', clips, NAMES[:2])
    done, wrote = shared(listed, 'out', '--target-category', 'nope')
    assert (done.returncode, wrote) == (2, [])
    assert [line for line in done.stdout.splitlines() if 'error' in line.lower()] == [
        "error: class 'nope' does not exist; there is: 0 walking, 1 running"
    ]


# --- memory -------------------------------------------------------------------------------------

MEASURED = """
import runpy, sys
from pathlib import Path
from mmsal.explain.manifest import Manifest

record = Manifest.record

def measured(self, row):
    record(self, row)
    if len(self.rows) in (50, 200):
        pages = int(Path('/proc/self/statm').read_text().split()[1])
        print('RESIDENT', len(self.rows), pages * 4096, flush=True)

Manifest.record = measured
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path('/proc/self/statm').is_file(), reason='reads Linux process statistics')
@pytest.mark.parametrize('workers', [0, 2])
def test_memory_does_not_grow_with_the_list(config_path, checkpoint_path, tmp_path, workers):
    import av
    import numpy as np

    clip = tmp_path / '0.avi'
    with av.open(str(clip), 'w') as container:
        stream = container.add_stream('mpeg4', rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        for picture in np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3), np.uint8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='rgb24')))
        container.mux(stream.encode())
    for number in range(1, 200):
        os.link(clip, tmp_path / f'{number}.avi')
    (tmp_path / 'list.txt').write_text('\n'.join(f'{number}.avi' for number in range(200)))
    words = [ROOT / 'tools' / VIS_CAM, config_path, checkpoint_path, 'list.txt']
    options = ['--file-url', 'out', '--device', 'cpu', '--workers', workers]
    done = run(sys.executable, '-c', MEASURED, *words, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-2000:]
    told = [line.split() for line in done.stdout.splitlines() if line.startswith('RESIDENT')]
    assert [int(count) for _, count, _ in told] == [50, 200]
    early, late = (int(size) / 2**20 for *_, size in told)
    print(f'{workers} workers: {early:.1f} MB after 50 videos, {late:.1f} MB after 200')
    assert late - early < 16
