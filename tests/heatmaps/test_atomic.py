import os

import numpy as np
import pytest

from mmsal.heatmaps import HeatmapSequence, read_heatmaps, write_heatmaps

OLD = HeatmapSequence(np.full((2, 3, 4), 0.25), [0, 1], {'name': 'old'})
NEW = HeatmapSequence(np.full((3, 3, 4), 0.75), [5, 6, 7], {'name': 'new'})
TEXT_NAMES = ['x.txt', 'x.txt.gz']
NAMES = [*TEXT_NAMES, 'x.npz']


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(params=[False, True], ids=['fresh', 'existing'])
def folder(request, tmp_path):
    """Return a folder with no file, or with an older file of every format."""
    if request.param:
        for name in NAMES:
            write_heatmaps(OLD, tmp_path / name)
    return tmp_path


def fail_at(monkeypatch, target, call, error):
    """Let a function fail at its n-th call, counted from 1."""
    module, name = target
    original, count = getattr(module, name), 0

    def failing(*args, **kwargs):
        nonlocal count
        count += 1
        if count == call:
            raise error
        return original(*args, **kwargs)

    monkeypatch.setattr(module, name, failing)


def check_nothing_happened(folder, name, error):
    before = contents(folder)
    with pytest.raises(type(error)):
        write_heatmaps(NEW, folder / name)
    assert contents(folder) == before


@pytest.mark.parametrize(
    'error', [OSError(28, 'disk full'), KeyboardInterrupt()], ids=['os', 'int']
)
@pytest.mark.parametrize('name', TEXT_NAMES)
def test_failure_in_the_middle_of_the_text(folder, name, error, monkeypatch):
    import mmsal.heatmaps.text as text

    fail_at(monkeypatch, (text, 'format_grid'), 2, error)
    check_nothing_happened(folder, name, error)


def test_failure_in_the_middle_of_the_npz(folder, monkeypatch):
    def failing(file, **arrays):
        file.write(b'PK half a file')
        raise OSError(28, 'disk full')

    monkeypatch.setattr(np, 'savez_compressed', failing)
    check_nothing_happened(folder, 'x.npz', OSError())


@pytest.mark.parametrize('call', [1, 2])
@pytest.mark.parametrize('name', TEXT_NAMES)
def test_failure_of_a_move(folder, name, call, monkeypatch):
    fail_at(monkeypatch, (os, 'replace'), call, PermissionError(1, 'not permitted'))
    check_nothing_happened(folder, name, PermissionError())


@pytest.mark.parametrize('name', NAMES)
def test_success_replaces_everything_and_leaves_no_temporary_file(folder, name):
    names = set(contents(folder))
    write_heatmaps(NEW, folder / name)
    back = read_heatmaps(folder / name)
    np.testing.assert_array_equal(back.values, NEW.values)
    assert back.meta == {'name': 'new'}
    expected = {name} if name == 'x.npz' else {name, f'{name}.json'}
    assert set(contents(folder)) == names | expected


@pytest.mark.parametrize('name', TEXT_NAMES)
def test_the_sidecar_is_in_place_before_the_text(tmp_path, name, monkeypatch):
    moves = []
    original = os.replace

    def recording(source, target):
        assert source.parent == target.parent and source.name.startswith('.')
        moves.append(target.name)
        original(source, target)

    monkeypatch.setattr(os, 'replace', recording)
    write_heatmaps(NEW, tmp_path / name)
    assert moves == [f'{name}.json', name]


@pytest.mark.parametrize('name', NAMES)
def test_missing_directory_is_named(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=r'no such directory: .*nowhere'):
        write_heatmaps(NEW, tmp_path / 'nowhere' / name)
