"""Each workaround: the defect it mends, that it mends it, and that it keeps off what is whole."""

import os
import subprocess
import sys
import types

import numpy as np
import pytest
import torch
from mmaction.datasets.transforms.loading import DecordInit
from mmaction.datasets.transforms.processing import ColorJitter
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader

from mmsal import compat

GOOD = {'torch': '2.13.0+cpu', 'mmengine': '0.10.7', 'mmaction2': '1.2.0', 'mmcv-lite': '2.1.0'}


class TestEnvironment:
    def test_what_is_installed_here_passes(self):
        compat.check_environment()

    @pytest.mark.parametrize(
        ('change', 'message'),
        [
            ({'mmcv-lite': None}, r'needs mmcv \(2.0 .*\), .* pip install mmcv-lite==2.1.0'),
            ({'mmcv-lite': '2.2.0'}, r'needs mmcv 2.0 or newer, below 2.2, but 2.2.0 is installed'),
            ({'mmcv': '1.7.2', 'mmcv-lite': None}, 'but 1.7.2 is installed'),
            ({'mmcv': '2.1.0'}, 'both installed.*pip uninstall -y mmcv mmcv-lite'),
            ({'mmengine': None}, 'needs mmengine .* pip install mmengine==0.10.7'),
            ({'mmengine': '0.9.1'}, 'but 0.9.1 is installed'),
            ({'torch': None}, 'needs torch .* pip install torch==2.13.0'),
            ({'torch': '2.5.1'}, 'needs torch 2.6 or newer, below 3, but 2.5.1'),
            ({'mmaction2': '0.24.1'}, 'pip install mmaction2==1.2.0'),
        ],
    )
    def test_one_line_says_what_to_install(self, change, message):
        installed = {**GOOD, **change}
        with pytest.raises(compat.EnvironmentProblem, match=message) as error:
            compat.check_environment(installed.get)
        assert '\n' not in str(error.value)

    def test_full_mmcv_passes(self):
        compat.check_environment({**GOOD, 'mmcv-lite': None, 'mmcv': '2.1.0'}.get)

    @pytest.mark.parametrize('version', ['2.13.0', '2.6.0a0+git1', '2.7.0.dev20250101'])
    def test_versions_with_tails_are_read(self, version):
        compat.check_environment({**GOOD, 'torch': version}.get)


def in_new_process(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=300)


class TestMissingDRN:
    def test_release_is_broken_without_it_and_works_with_it(self):
        """Ends when the first half fails: then MMAction2 ships DRN again."""
        assert 'drn' in in_new_process('import mmaction.models').stderr
        mended = in_new_process('import mmsal, mmaction.models; print(mmaction.models.TSNHead)')
        assert 'TSNHead' in mended.stdout

    def test_stand_in_says_that_it_is_one(self):
        from mmaction.models.localizers import DRN

        with pytest.raises(NotImplementedError, match='mmaction2#2714'):
            DRN()

    def test_keeps_off_a_release_that_has_it(self, tmp_path, monkeypatch):
        package = tmp_path / 'mmaction'
        (package / 'models' / 'localizers' / 'drn').mkdir(parents=True)
        whole = types.ModuleType('mmaction')
        whole.__file__ = str(package / '__init__.py')
        monkeypatch.setitem(sys.modules, 'mmaction', whole)
        monkeypatch.delitem(sys.modules, 'mmaction.models.localizers.drn')
        compat.provide_missing_drn()
        assert 'mmaction.models.localizers.drn' not in sys.modules


class RunsCode:
    """What a hostile checkpoint holds: unpickling it calls a function."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


class NamesAttribute:
    """Reaches for any attribute by ``getattr``, as MMEngine's training log does for its own."""

    def __init__(self, owner, name):
        self.parts = owner, name

    def __reduce__(self):
        return getattr, self.parts


class TestCheckpoints:
    @pytest.fixture
    def training_log(self):
        log = HistoryBuffer(log_history=[1.0, 2.0], count_history=[1, 1], max_length=10)
        log.update(3.5)
        return log

    def test_training_log_of_mmengine_is_read(self, tmp_path, training_log):
        path = tmp_path / 'epoch_1.pth'
        content = {
            'state_dict': {'weight': torch.arange(3.0)},
            'message_hub': {'log_scalars': {'train/loss': training_log}},
            'meta': {'epoch': 1, 'best': np.float64(0.75), 'count': np.int64(3)},
            'arrays': [np.arange(3), np.ones((2, 2), np.float32), np.array([True])],
        }
        torch.save(content, path)
        read = CheckpointLoader.load_checkpoint(str(path), map_location='cpu')
        log = read['message_hub']['log_scalars']['train/loss']
        assert log.current() == 3.5
        assert log.statistics('mean', 3) == pytest.approx(6.5 / 3)
        assert read['meta'] == content['meta']
        for array, expected in zip(read['arrays'], content['arrays'], strict=True):
            np.testing.assert_array_equal(array, expected)

    def test_torch_alone_refuses_it(self, tmp_path, training_log):
        """The defect. Ends when this fails: then the training log needs no allow-list."""
        path = tmp_path / 'epoch_1.pth'
        torch.save({'log': training_log}, path)
        plain = in_new_process(f'import torch; torch.load({str(path)!r})')
        assert 'Weights only load failed' in plain.stderr

    @pytest.mark.parametrize('old_format', [False, True])
    def test_checkpoint_that_runs_code_is_refused(self, tmp_path, old_format):
        path, marker = tmp_path / 'hostile.pth', tmp_path / 'marker'
        content = {'state_dict': {}, 'more': RunsCode(marker)}
        torch.save(content, path, _use_new_zipfile_serialization=not old_format)
        with pytest.raises(compat.UnsafeCheckpointError, match=r'refused: .*mkdir') as error:
            CheckpointLoader.load_checkpoint(str(path))
        assert not marker.exists()
        assert '\n' not in str(error.value)
        torch.load(path, weights_only=False)
        assert marker.exists()  # it would have run

    @pytest.mark.parametrize(
        ('owner', 'name'), [(os, 'system'), (HistoryBuffer, '__init__'), ('text', 'format')]
    )
    def test_getattr_reaches_statistics_methods_only(self, tmp_path, owner, name):
        path = tmp_path / 'hostile.pth'
        torch.save({'more': NamesAttribute(owner if owner is not os else 'os', name)}, path)
        with pytest.raises(compat.UnsafeCheckpointError, match='refused'):
            CheckpointLoader.load_checkpoint(str(path))

    @pytest.mark.parametrize('content', [b'', b'weights', b'\x80\x02}q\x00.', bytes(range(256))])
    def test_what_is_no_checkpoint_is_refused(self, tmp_path, content):
        path = tmp_path / 'wrong.pth'
        path.write_bytes(content)
        with pytest.raises(ValueError, match='not a PyTorch checkpoint'):
            CheckpointLoader.load_checkpoint(str(path))

    def test_checkpoint_cut_short_is_refused(self, tmp_path):
        path = tmp_path / 'cut.pth'
        torch.save({'state_dict': {'weight': torch.zeros(1000)}}, path)
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(ValueError, match='cut short'):
            CheckpointLoader.load_checkpoint(str(path))

    def test_missing_checkpoint(self, tmp_path):
        with pytest.raises(FileNotFoundError, match='does not exist'):
            CheckpointLoader.load_checkpoint(str(tmp_path / 'none.pth'))


class TestColorJitter:
    def test_turns_hue_backwards(self):
        picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.float32)
        there = ColorJitter.adjust_hue(picture, -0.1)
        assert np.abs(there - picture).mean() > 5
        back = ColorJitter.adjust_hue(there, 25 / 255)
        assert np.abs(back - picture).mean() < 3  # OpenCV's hue has 180 steps

    def test_whole_transform_runs(self):
        frames = list(np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8))
        jitter = ColorJitter(hue=0.5)
        for _ in range(5):
            assert jitter.transform({'imgs': frames})['imgs'][0].dtype == np.uint8

    def test_keeps_off_a_release_that_is_whole(self, monkeypatch):
        monkeypatch.setattr(ColorJitter, 'adjust_hue', staticmethod(lambda img, factor: img))
        whole = ColorJitter.adjust_hue
        compat.mend_color_jitter()
        assert ColorJitter.adjust_hue is whole


class TestNumpyNames:
    def test_names_mean_what_they_meant(self):
        assert np.Inf == float('inf')  # noqa: NPY201
        assert np.in1d([1, 2], [2]).tolist() == [False, True]  # noqa: NPY201
        assert np.trapz([1.0, 2.0]) == 1.5  # noqa: NPY201

    def test_mmaction2_still_uses_them(self):
        from mmaction.datasets.transforms import pose_transforms

        points = np.random.default_rng(0).uniform(1, 9, (1, 2, 17, 2))
        compact = pose_transforms.PoseCompact(threshold=1)
        result = compact(dict(img_shape=(20, 20), keypoint=points, modality='Pose'))
        assert result['img_shape'] != (20, 20)

    def test_keeps_off_names_that_are_there(self, monkeypatch):
        monkeypatch.setattr(np, 'Inf', 'mine', raising=False)
        compat.restore_numpy_names()
        assert np.Inf == 'mine'  # noqa: NPY201


def test_unreadable_video_is_named(tmp_path):
    path = tmp_path / 'broken.mp4'
    path.write_bytes(b'no video')
    with pytest.raises(ValueError, match=r'broken.mp4 is not a video'):
        DecordInit()(dict(filename=str(path)))


def test_applying_twice_changes_nothing():
    transform, adjust_hue = DecordInit.transform, ColorJitter.adjust_hue
    compat.apply()
    assert DecordInit.transform is transform
    assert ColorJitter.adjust_hue is adjust_hue


def test_import_is_quiet():
    quiet = in_new_process('import mmsal')
    assert quiet.returncode == 0
    assert quiet.stderr == ''


def test_tpn_can_be_explained_before_it_is_tested():
    """Its configs set fcn_test, with which the head copies weights in its first forward pass."""
    from mmsal.attribution import GradCAM
    from tests.attribution.networks import batch, build

    model, plain = build('tpn'), build('tpn')
    model.test_cfg = dict(fcn_test=True)
    with GradCAM(model) as cam, GradCAM(plain) as expected:
        maps = cam.heatmaps(batch('tpn'))[0]
        assert maps.std() > 0.05
        assert maps.equal(expected.heatmaps(batch('tpn'))[0])


EXITS = """
import atexit, logging, sys
from mmsal.compat import exit_beside_gloo

class Finalized:
    def __del__(self):
        print('taken down', flush=True)

kept = Finalized()
atexit.register(print, 'last words')  # into a buffer that nobody flushes
exit_beside_gloo(int(sys.argv[1]))
"""


@pytest.mark.parametrize('status', [0, 3])
def test_exit_beside_gloo_says_the_last_words_and_takes_nothing_down(status):
    done = subprocess.run(
        [sys.executable, '-c', EXITS, str(status)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, 'last words\n', '')
