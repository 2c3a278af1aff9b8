"""GazeCountHook: on runners as train.py builds them, up to where training would begin."""

import shutil
from pathlib import Path

import cv2
import pandas as pd
import pytest
import torch

from mmsal.datasets import LoadGazeMaps
from mmsal.datasets.video import read_frames
from mmsal.hooks import GazeCountHook
from mmsal.hooks.gaze_fit import FitOfGaze, fit_of_gaze

KEYS = ('gaze_maps', 'gaze_points')
ALIGNED = {'model': {'gaze_loss': {'type': 'GazeAlignmentLoss'}}}


@pytest.fixture
def table(clips) -> Path:
    """The fixations of the clips' simulated observers."""
    return clips / 'fixations.csv'


def pipeline(table: Path | None, keys: tuple[str, ...] = KEYS) -> list[dict]:
    moving = [dict(type='Resize', scale=(64, 48), keep_ratio=False)]
    gaze = dict(
        type='LoadGazeMaps', fixations=str(table), sigma=10, map_size=(6, 8), transforms=moving
    )
    return [
        dict(type='DecordInit'),
        dict(type='ClipRange'),
        dict(type='SampleFrames', clip_len=8, frame_interval=2, num_clips=1, test_mode=True),
        dict(type='DecordDecode'),
        *(moving if table is None else [gaze]),
        dict(type='FormatShape', input_format='NCHW'),
        dict(type='PackActionInputs', algorithm_keys=keys),
    ]


def options(train, val) -> dict:
    """Settings of a config, the gaze metric among them where the validation has gaze."""
    has_gaze = any(step['type'] == 'LoadGazeMaps' for step in val)
    metrics = [dict(type='AccMetric'), dict(type='GazeMetric')] if has_gaze else []
    return {
        'train_dataloader.dataset.pipeline': train,
        'val_dataloader.dataset.pipeline': val,
        'val_evaluator': metrics or dict(type='AccMetric'),
    }


def some_of(table: Path, path: Path, *words: str) -> Path:
    """A table of those videos alone that have one of the words in their names."""
    rows = pd.read_csv(table)
    rows[rows.video.str.contains('|'.join(words))].to_csv(path, index=False)
    return path


def counts(runner) -> list[str]:
    return [line for line in runner.told if line.startswith('gaze:') and ' clips of the ' in line]


def fits(runner) -> list[str]:
    return [line for line in runner.told if line.startswith('gaze: of ')]


def begin(runner) -> list[str]:
    """Do what is done before training; returns what the hook logged."""
    hook = next(one for one in runner.hooks if isinstance(one, GazeCountHook))
    hook.before_train(runner)
    return counts(runner)


@pytest.fixture
def make(make_runner):
    """Build a runner from the steps of its pipelines."""

    def build(train, val, **others):
        return make_runner(dict(type='GazeCountHook'), **{**options(train, val), **others})

    return build


def test_both_lists_are_counted(make, table):
    logged = begin(make(pipeline(table), pipeline(table), **ALIGNED))
    assert logged == [
        f'gaze: 4 of 4 clips of the {name} list have fixations (table: {table})'
        for name in ('training', 'validation')
    ]


def test_clips_without_gaze_are_named(make, table, clips, tmp_path):
    # Of person 11 walking alone: two passes of one of the two training files.
    part = some_of(table, tmp_path / 'part.csv', 'person11_walking')
    training, validation = begin(make(pipeline(part), pipeline(part), **ALIGNED))
    assert training == (
        f'gaze: 2 of 4 clips of the training list have fixations (table: {part}); without: '
        f'{clips / "person11_running_d1_uncomp.avi"}'
    )
    # Nothing to validate by: said, not refused.
    assert validation.startswith('gaze: 0 of 4 clips of the validation list')
    assert validation.count('.avi') == 2


def listed(folder: Path, *names: str) -> dict:
    """A list of videos, as VideoDataset reads it; they need not be there to be counted."""
    (folder / 'list.txt').write_text(''.join(f'{name} 0\n' for name in names))
    return dict(
        _delete_=True,
        type='VideoDataset',
        ann_file=str(folder / 'list.txt'),
        data_prefix=dict(video=''),
    )


def test_no_more_than_five_are_named(make, table, tmp_path):
    names = ['person11_walking_d1_uncomp.avi', *(f'a{number}.avi' for number in range(6))]
    dataset = {**listed(tmp_path, *names), 'pipeline': pipeline(table)}
    runner = make(
        pipeline(table), pipeline(None), **ALIGNED, **{'train_dataloader.dataset': dataset}
    )
    assert begin(runner) == [
        f'gaze: 1 of 7 clips of the training list have fixations (table: {table}); without: '
        'a0.avi, a1.avi, a2.avi, a3.avi, a4.avi, ...'
    ]


@pytest.mark.parametrize('wrapper', ['RepeatDataset', 'ConcatDataset'])
def test_datasets_inside_of_others_are_found(make, table, clips, wrapper):
    # Of two joined lists one has gaze; the other's clips train without.
    data = dict(type='KTHDataset', data_root=str(clips), pipeline=pipeline(table))
    plain = {**data, 'subset': 'val', 'pipeline': pipeline(None)}
    inside = {
        'RepeatDataset': dict(dataset=data, times=3),
        'ConcatDataset': dict(datasets=[data, plain]),
    }[wrapper]
    dataset = dict(_delete_=True, type=wrapper, **inside)
    runner = make(
        pipeline(table), pipeline(table), **ALIGNED, **{'train_dataloader.dataset': dataset}
    )
    total = {'RepeatDataset': 4, 'ConcatDataset': 8}[wrapper]
    assert begin(runner)[0].startswith(f'gaze: 4 of {total} clips of the training list')


def test_a_list_without_any_gaze_is_refused(make, table, tmp_path):
    other = some_of(table, tmp_path / 'other.csv', 'person01')
    runner = make(pipeline(other), pipeline(other), **ALIGNED)
    with pytest.raises(
        ValueError, match=r'^gaze: 0 of 4 clips of the training list .*video.*names$'
    ):
        begin(runner)
    assert not counts(runner)


REFUSED = {
    'no gaze loaded': ((False, KEYS), (False, KEYS), ALIGNED, 'training dataset has no Load'),
    'gaze left out': (
        (True, ('gaze_points',)), (True, KEYS), ALIGNED,
        'PackActionInputs of the training pipeline .* algorithm_keys',
    ),
    'metric without gaze': (
        (True, KEYS), (False, KEYS), {**ALIGNED, 'val_evaluator': [dict(type='GazeMetric')]},
        'has a GazeMetric, but the pipeline of the validation dataset has no LoadGazeMaps',
    ),
    'metric without a loss': (
        (True, KEYS), (True, KEYS), {}, r'the model has no gaze_loss, .* gaze_loss\.weight=0',
    ),
    'metric with gaze left out': (
        (True, KEYS), (True, ()), ALIGNED, 'GazeMetric, but PackActionInputs of the validation',
    ),
}  # fmt: skip


@pytest.mark.parametrize(('train', 'val', 'others', 'words'), REFUSED.values(), ids=REFUSED)
def test_gaze_that_would_not_arrive_is_refused(make, table, train, val, others, words):
    steps = [pipeline(table if gaze else None, keys) for gaze, keys in (train, val)]
    runner = make(*steps, **others)
    with pytest.raises(ValueError, match=words) as error:
        begin(runner)
    assert '\n' not in str(error.value)


MOVES = {
    'Flip': dict(type='Flip', flip_ratio=0.5),
    'RandomApply': dict(type='RandomApply', transforms=[dict(type='Flip', flip_ratio=1)]),
    'RandomChoice': dict(type='RandomChoice', transforms=[[dict(type='Flip', flip_ratio=1)]]),
}


@pytest.mark.parametrize('kind', MOVES)
def test_what_may_move_the_picture_after_the_gaze_is_refused(make, table, kind):
    steps = pipeline(table)
    steps.insert(5, MOVES[kind])
    with pytest.raises(ValueError, match=f'but {kind} comes after LoadGazeMaps in the training'):
        begin(make(steps, pipeline(table), **ALIGNED))


def test_transforms_that_stay_are_let_pass(make_runner, table):
    steps = pipeline(table)
    steps.insert(5, dict(type='ColorJitter'))
    steps.insert(6, MOVES['RandomApply'])  # whoever names it answers for it
    hook = dict(type='GazeCountHook', stay=['RandomApply'])
    runner = make_runner(hook, **{**options(steps, pipeline(table)), **ALIGNED})
    assert len(begin(runner)) == 2


def test_other_frames_than_were_sampled_are_refused(make, table):
    steps = pipeline(table)
    steps[3] = dict(type='DecordDecode', mode='efficient')
    with pytest.raises(ValueError, match=r"DecordDecode\(mode='efficient'\) of the training"):
        begin(make(steps, pipeline(table), **ALIGNED))


UNITS = {
    'screen pixels': lambda rows: rows.assign(x_px=rows.x_px * 12, y_px=rows.y_px * 9),
    'shares of the picture': lambda rows: rows.assign(x_px=rows.x_px / 160, y_px=rows.y_px / 120),
    'milliseconds': lambda rows: rows.assign(start_s=rows.start_s * 1000, end_s=rows.end_s * 1000),
    'a clock of its own': lambda rows: rows.assign(
        start_s=rows.start_s + 1e4, end_s=rows.end_s + 1e4
    ),
}


@pytest.mark.parametrize('unit', UNITS)
def test_other_units_are_refused(make, table, tmp_path, unit):
    UNITS[unit](pd.read_csv(table)).to_csv(tmp_path / 'other.csv', index=False)
    steps = pipeline(tmp_path / 'other.csv')
    with pytest.raises(ValueError, match='does not fit the videos of the training list') as error:
        begin(make(steps, steps, **ALIGNED))
    assert '\n' not in str(error.value)


def test_how_gaze_fits_is_said(make, table, tmp_path):
    rows = pd.read_csv(table)
    rows.loc[rows.index % 4 == 0, 'x_px'] = -5.0  # looked away
    rows.to_csv(tmp_path / 'away.csv', index=False)
    steps = pipeline(tmp_path / 'away.csv')
    runner = make(steps, steps, **ALIGNED)
    begin(runner)
    training, validation = fits(runner)
    assert 'on 2 videos that were looked at, 75% lie in the picture and 100% in' in training
    assert 'sigma of 10 pixels is 6.2% of their width' in training
    assert 'on 2 videos' in validation


@pytest.mark.parametrize(
    ('share', 'sigma', 'doubtful'),
    [(1.0, 10, False), (0.85, 10, True), (1.0, 0.3, True), (1.0, 40, True)],
)
def test_what_is_unusual_is_a_warning(share, sigma, doubtful):
    inside = round(100 * share)
    assert FitOfGaze(2, 100, inside, 100, 150.0, sigma, 160.0).doubtful is doubtful


def test_folders_of_frames_are_looked_at(clips, table, tmp_path):
    name = 'person11_walking_d1_uncomp'
    (tmp_path / name).mkdir()
    for number, frame in enumerate(read_frames(clips / f'{name}.avi', range(40)), start=1):
        cv2.imwrite(str(tmp_path / name / f'image_{number:05d}.jpg'), frame)
    loading = LoadGazeMaps(table, (6, 8), 10, fps=25)
    found = fit_of_gaze(loading, [str(tmp_path / name)])
    rows = pd.read_csv(table)
    rows = rows[rows.video == f'{name}.avi']
    assert (found.videos, found.fixations, found.width) == (1, len(rows), 160)
    assert found.in_picture == len(rows)
    assert found.in_time == (rows.start_s < 40 / 25).sum()
    assert fit_of_gaze(LoadGazeMaps(table, (6, 8), 10), [str(tmp_path / name)]) is None


SAVE_BEST = {
    'the worst': (dict(save_best='gaze/kld', rule='greater'), 'keep the worst by gaze/kld'),
    'one rule for two': (
        dict(save_best=['gaze/nss', 'gaze/kld'], rule='greater'), 'keep the worst by gaze/kld',
    ),
    'the other way': (dict(save_best='gaze/nss', rule='less'), 'keep the worst by gaze/nss'),
    'no such score': (dict(save_best='gaze/NSS', rule='greater'), 'val_evaluator gives gaze/nss'),
}  # fmt: skip


@pytest.mark.parametrize(('options', 'words'), SAVE_BEST.values(), ids=SAVE_BEST)
def test_checkpoints_of_the_worst_are_refused(make, table, options, words):
    runner = make(
        pipeline(table), pipeline(table), **ALIGNED,
        **{f'default_hooks.checkpoint.{key}': value for key, value in options.items()},
    )  # fmt: skip
    with pytest.raises(ValueError, match=words):
        begin(runner)


def test_checkpoints_by_a_score_that_nobody_gives_are_refused(make, table):
    best = {'default_hooks.checkpoint.save_best': 'gaze/nss'}
    runner = make(pipeline(table), pipeline(None), **ALIGNED, **best)
    with pytest.raises(ValueError, match='it has no GazeMetric'):
        begin(runner)


def test_checkpoints_of_the_best_are_kept(make, table):
    best = {
        'default_hooks.checkpoint.save_best': ['acc/top1', 'gaze/kld'],
        'default_hooks.checkpoint.rule': ['greater', 'less'],
    }
    assert len(begin(make(pipeline(table), pipeline(table), **ALIGNED, **best))) == 2


def test_plain_training_is_left_alone(make, table):
    assert begin(make(pipeline(None), pipeline(None))) == []
    # Gaze may be loaded without a loss or a metric, and none of the clips need have any.
    assert len(begin(make(pipeline(table), pipeline(None)))) == 1


def test_no_validation(make, table):
    runner = make(pipeline(table), pipeline(table), **ALIGNED)
    runner._val_loop = None  # train.py --no-validate
    assert len(begin(runner)) == 1


def test_a_name_that_fits_a_video_of_each_list_is_refused(make, table, tmp_path):
    # Neither list alone shows it.
    rows = pd.read_csv(table)
    rows['video'] = 'a.avi'
    rows.to_csv(tmp_path / 'one.csv', index=False)
    steps = pipeline(tmp_path / 'one.csv')
    (tmp_path / 'val').mkdir()
    data = {
        'train_dataloader.dataset': {**listed(tmp_path, 'walking/a.avi'), 'pipeline': steps},
        'val_dataloader.dataset': {**listed(tmp_path / 'val', 'running/a.avi'), 'pipeline': steps},
    }
    with pytest.raises(ValueError, match=r'a\.avi of .* could be \w+/a\.avi or \w+/a\.avi'):
        begin(make(steps, steps, **ALIGNED, **data))


@pytest.mark.parametrize('started', [False, True], ids=['new', 'started before'])
def test_the_pairing_reaches_the_workers(make, table, clips, tmp_path, monkeypatch, started):
    # Alone, deep/x.avi would take the gaze of x.avi; the list shows that it is another video's.
    name = 'person11_walking_d1_uncomp.avi'
    (tmp_path / 'deep').mkdir()
    for place in ('x.avi', 'deep/x.avi'):
        shutil.copy(clips / name, tmp_path / place)
    rows = pd.read_csv(some_of(table, tmp_path / 'x.csv', name))
    rows['video'] = 'x.avi'
    rows.to_csv(tmp_path / 'x.csv', index=False)
    monkeypatch.chdir(tmp_path)
    steps = pipeline(tmp_path / 'x.csv')
    runner = make(
        steps, pipeline(None), **ALIGNED,
        **{'train_dataloader.dataset': {**listed(tmp_path, 'deep/x.avi', 'x.avi'),
                                        'pipeline': steps},
           'train_dataloader.num_workers': 1, 'train_dataloader.persistent_workers': True,
           'train_dataloader.batch_size': 1,
           'train_dataloader.sampler': dict(type='DefaultSampler', shuffle=False)},
    )  # fmt: skip
    loader = runner.train_dataloader
    if started:
        first = next(iter(loader))['data_samples'][0]
        assert first.gaze_maps.any()  # as long as nobody has told the worker
    (line,) = begin(runner)
    assert 'gaze: 1 of 2 clips' in line and line.endswith('without: deep/x.avi')
    deep, own = (batch['data_samples'][0] for batch in loader)
    assert not deep.gaze_maps.any() and not len(deep.gaze_points)
    assert torch.allclose(own.gaze_maps.sum(dim=(1, 2)).max(), torch.tensor(1.0))


def test_the_test_list_is_counted(make, table, tmp_path):
    runner = make(pipeline(None), pipeline(None), **{'test_dataloader.dataset.pipeline': pipeline(
        some_of(table, tmp_path / 'part.csv', 'person02_running'))})  # fmt: skip
    hook = next(one for one in runner.hooks if isinstance(one, GazeCountHook))
    hook.before_test(runner)
    assert counts(runner)[0].startswith('gaze: 2 of 4 clips of the test list')


def test_a_test_without_gaze_is_a_warning(make, table, tmp_path):
    other = pipeline(some_of(table, tmp_path / 'part.csv', 'person01'))
    runner = make(pipeline(None), pipeline(None), **{'test_dataloader.dataset.pipeline': other})
    hook = next(one for one in runner.hooks if isinstance(one, GazeCountHook))
    hook.before_test(runner)
    assert counts(runner)[0].startswith('gaze: 0 of 4 clips of the test list')


def test_a_test_without_loading_gaze_says_nothing(make):
    runner = make(pipeline(None), pipeline(None))
    hook = next(one for one in runner.hooks if isinstance(one, GazeCountHook))
    hook.before_test(runner)
    assert counts(runner) == []
