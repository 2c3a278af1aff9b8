"""The manifest: whose maps are whose, and what a damaged video costs."""

import importlib

import numpy as np
import pytest

from mmsal.explain import Job, Output, Question, explain_jobs, load_recognizer
from mmsal.explain.manifest import Manifest, OutputTakenError, failed
from mmsal.heatmaps import read_heatmaps


@pytest.fixture(scope='module')
def model(config_path, checkpoint_path):
    return load_recognizer(config_path, checkpoint_path, device='cpu')


def job(path, stem='clip'):
    return Job(path, path.__class__(stem), None)


def copy(clips, folder, name='clip.avi'):
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name
    target.write_bytes((clips / 'person02_running_d1_uncomp.avi').read_bytes())
    return target


def test_another_video_s_maps_are_not_overwritten(model, clips, tmp_path):
    first, second = (copy(clips, tmp_path / name) for name in ('p1', 'p2'))
    list(explain_jobs(model, [job(first)], Output(tmp_path / 'out')))
    before = (tmp_path / 'out' / 'clip.txt').read_bytes()
    with pytest.raises(OutputTakenError, match=r'p1/clip\.avi, not of .*p2/clip\.avi'):
        explain_jobs(model, [job(second)], Output(tmp_path / 'out'))
    assert (tmp_path / 'out' / 'clip.txt').read_bytes() == before


def test_overwrite_leaves_no_maps_of_other_settings_behind(model, clips, tmp_path):
    first, second = (copy(clips, tmp_path, f'{name}.avi') for name in 'ab')
    jobs = [job(first, 'a'), job(second, 'b')]
    list(explain_jobs(model, jobs, Output(tmp_path / 'out')))
    with pytest.raises(ValueError, match=r'maps of other videos, made with target None'):
        explain_jobs(
            model, jobs[:1], Output(tmp_path / 'out', overwrite=True), Question(target='running')
        )
    rows = list(explain_jobs(model, jobs[:1], Output(tmp_path / 'out', overwrite=True)))
    assert rows[0].status == 'done'
    assert list(explain_jobs(model, jobs, Output(tmp_path / 'out'))) == [None, None]


def test_an_overwrite_that_was_stopped_goes_on(model, clips, tmp_path):
    jobs = [job(copy(clips, tmp_path, f'{name}.avi'), name) for name in 'ab']
    out, other = tmp_path / 'out', Question(target='running', space='input')
    list(explain_jobs(model, jobs, Output(out)))
    next(explain_jobs(model, jobs, Output(out, overwrite=True), other))  # stopped after the first
    assert [row.status for row in Manifest(out).rows.values()] == ['done', 'outdated']
    rows = list(explain_jobs(model, jobs, Output(out), other))
    assert [row and row.status for row in rows] == [None, 'done']
    assert {read_heatmaps(out / f'{name}.txt').meta['space'] for name in 'ab'} == {'input'}


def test_a_list_that_has_grown_goes_on(model, clips, tmp_path):
    """Videos from another folder give the others longer names; theirs are kept."""
    first, second = (copy(clips, tmp_path / 'videos' / 'p', f'{name}.avi') for name in 'ab')
    list(explain_jobs(model, [job(first, 'a'), job(second, 'b')], Output(tmp_path / 'out')))
    third = copy(clips, tmp_path / 'videos' / 'q', 'a.avi')
    grown = [job(first, 'p/a'), job(second, 'p/b'), job(third, 'q/a')]
    overlays = []
    output = Output(tmp_path / 'out', also=lambda job, _: overlays.append(job.stem.as_posix()))
    rows = list(explain_jobs(model, grown, output))
    assert rows[:2] == [None, None] and rows[2].output == 'q/a.txt'
    assert overlays == ['q/a']
    names = sorted(str(p.relative_to(tmp_path / 'out')) for p in (tmp_path / 'out').rglob('*.txt'))
    assert names == ['a.txt', 'b.txt', 'q/a.txt']
    # A name that is in use by then is another video's.
    taken = job(copy(clips, tmp_path / 'videos', 'a.avi'), 'a')
    with pytest.raises(OutputTakenError, match='holds the maps of'):
        explain_jobs(model, [*grown, taken], output)


def test_another_format_leaves_no_maps_behind(model, clips, tmp_path):
    jobs = [job(copy(clips, tmp_path))]
    out = tmp_path / 'out'
    list(explain_jobs(model, jobs, Output(out)))
    with pytest.raises(ValueError, match=r"made with format 'txt', not 'npz': .* --overwrite"):
        explain_jobs(model, jobs, Output(out, '.npz'))
    list(explain_jobs(model, jobs, Output(out, '.npz', overwrite=True), Question(target='running')))
    assert sorted(path.name for path in out.iterdir()) == [
        'clip.npz', 'manifest.csv', 'settings.json',
    ]  # fmt: skip


def test_damaged_video_fails_alone(model, clips, damaged, tmp_path):
    good = copy(clips, tmp_path)
    rows = list(explain_jobs(model, [job(damaged, 'damaged'), job(good)], Output(tmp_path / 'out')))
    assert [row.video for row in failed(rows)] == [str(damaged)]
    assert 'damaged.mp4' in rows[0].error
    assert '\n' not in rows[0].error
    assert rows[1].status == 'done'
    assert not (tmp_path / 'out' / 'damaged.txt').exists()


@pytest.mark.parametrize('where', ['mmsal.explain.decoding.prepare_video',
                                   'mmsal.explain.batch.explain_prepared',
                                   'mmsal.explain.batch.write_heatmaps'])  # fmt: skip
def test_video_that_is_too_large_fails_alone(model, clips, tmp_path, monkeypatch, where):
    """Whichever step asks for more than there is, numpy says so by a MemoryError."""
    module, name = where.rsplit('.', 1)
    module = importlib.import_module(module)
    whole, calls = getattr(module, name), []

    def large(*arguments, **options):
        calls.append(1)
        if len(calls) == 1:
            np.empty(2**62, np.uint8)
        return whole(*arguments, **options)

    monkeypatch.setattr(module, name, large)
    jobs = [job(copy(clips, tmp_path, f'{name}.avi'), name) for name in 'ab']
    rows = list(explain_jobs(model, jobs, Output(tmp_path / 'out')))
    assert [row.status for row in rows] == ['failed', 'done']
    assert 'Unable to allocate' in rows[0].error
