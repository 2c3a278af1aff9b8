"""Gaze in training, looked through before it begins: which clips have some, and does it arrive."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmaction.datasets.transforms import PackActionInputs
from mmaction.registry import HOOKS
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmsal.datasets.gaze_maps import LoadGazeMaps
from mmsal.evaluation.gaze_metric import SCORES, GazeMetric
from mmsal.hooks.borrowed import bare_model
from mmsal.hooks.gaze_fit import fit_of_gaze

FIELDS = ('gaze_maps', 'gaze_points')  # what LoadGazeMaps gives, and samples must carry
NAMED = 5  # clips without gaze that the log names
# Transforms that leave every pixel where it is, or only order and pack.
STAY = (
    'ColorJitter', 'FormatGCNInput', 'FormatShape', 'Normalize', 'PackActionInputs',
    'RandomErasing', 'Rename', 'ToTensor', 'Transpose',
)  # fmt: skip


@HOOKS.register_module()
class GazeCountHook(Hook):
    """Counts the clips with and without gaze, and refuses what would train without any.

    Before training the videos of the training and validation lists are paired with those of the
    fixation table, all at once (:meth:`mmsal.datasets.LoadGazeMaps.pair`), so that a table that
    fits two of them is found; before testing those of the test list. The counts are logged, with
    the names of up to five clips that have no gaze. A clip counts by its video: whether a fixation
    falls into the frames and the view that were drawn, ``gaze_clips`` of the log tells.

    Training is refused, by a ValueError of one line, where it would not do what it is for:

    - no clip of the training list has gaze;
    - the model has a ``gaze_loss``, but the training pipeline no ``LoadGazeMaps``, or
      ``PackActionInputs`` does not pass on what it gives, or a transform comes after it that may
      move the picture, where gaze cannot follow;
    - frames are decoded with ``mode='efficient'``, which gives others than those that were sampled;
    - most fixations lie outside of the picture or the time of their video: other units than pixels
      of the source video and seconds, or another screen (up to 20 videos are looked at);
    - ``GazeMetric`` is to score the validation, whose pipeline gives it no gaze, or whose model has
      no ``gaze_loss`` and so no maps;
    - ``save_best`` names a gaze score that nobody gives, or would keep the worst by it.

    A validation or test list without gaze is a warning.

    In a config: ``custom_hooks = [dict(type='GazeCountHook')]``.

    Args:
        stay (Sequence[str]): Names of further transforms that may stand after ``LoadGazeMaps``,
            because they leave every pixel where it is.
    """

    def __init__(self, stay: Sequence[str] = ()) -> None:
        self.stay = (*STAY, *stay)

    def before_train(self, runner: Runner) -> None:
        """Check, pair and count.

        Raises:
            ValueError: See the class; or the table's names fit several videos.
        """
        check_save_best(runner)
        lists = [GazeList('training', runner.train_dataloader)]
        if runner.val_loop is not None:
            lists.append(GazeList('validation', runner.val_dataloader))
        aligned = getattr(bare_model(runner), 'gaze_loss', None) is not None
        if aligned:
            lists[0].check('the model has a gaze_loss', self.stay)
        if lists[1:] and _has_gaze_metric(runner.val_evaluator):
            if not aligned:
                raise ValueError(
                    'gaze: val_evaluator has a GazeMetric, but the model has no gaze_loss, and so '
                    'no maps to score; gaze_loss.weight=0 gives maps alone'
                )
            lists[1].check('val_evaluator has a GazeMetric', self.stay)
        pair_lists(lists)
        for one in lists:
            one.log(runner, refuse=aligned and one is lists[0])
            one.check_units(runner)

    def before_test(self, runner: Runner) -> None:
        """Pair and count.

        Raises:
            ValueError: The table's names fit several videos.
        """
        tested = GazeList('test', runner.test_dataloader)
        pair_lists([tested])
        tested.log(runner)
        tested.check_units(runner)


@dataclass
class Leaf:
    """A dataset with a pipeline.

    Attributes:
        steps: Of its pipeline.
        videos: File or folder of each clip.
        with_gaze: Those that are in the table.
    """

    steps: list
    videos: list[str]
    with_gaze: frozenset[str] = frozenset()

    @property
    def loading(self) -> list[LoadGazeMaps]:
        """The steps that load gaze."""
        return [step for step in self.steps if isinstance(step, LoadGazeMaps)]

    def after_gaze(self) -> list:
        """The steps after the one that loads gaze."""
        return self.steps[self.steps.index(self.loading[0]) + 1 :]


class GazeList:
    """The clips of a data loader, and what its pipelines do with gaze.

    Args:
        name (str): For messages.
        loader (DataLoader): Of the runner. Workers that it has started are ended, for they know
            nothing of what is paired from now on.
    """

    def __init__(self, name: str, loader: DataLoader) -> None:
        self.name = name
        self.leaves = [
            Leaf(_steps(dataset), _videos(dataset)) for dataset in _leaf_datasets(loader.dataset)
        ]
        loader._iterator = None

    def check(self, reason: str, stay: Sequence[str] = STAY) -> None:
        """Refuse pipelines none of which loads gaze, or that lose or misplace what they load.

        Args:
            reason (str): Why gaze is needed.
            stay (Sequence[str]): Names of transforms that may come after it.

        Raises:
            ValueError: So it is.
        """
        loading = [leaf for leaf in self.leaves if leaf.loading]
        if not loading:
            raise ValueError(
                f'gaze: {reason}, but the pipeline of the {self.name} dataset has no LoadGazeMaps: '
                'put it after the decoding, around the transforms that resize, crop and flip'
            )
        for step in (step for leaf in loading for step in leaf.steps):
            if getattr(step, 'mode', None) == 'efficient':
                raise ValueError(
                    f"gaze: {reason}, but {type(step).__name__}(mode='efficient') of the "
                    f'{self.name} pipeline decodes other frames than those that were sampled'
                )
        for step in (step for leaf in loading for step in leaf.after_gaze()):
            kind = type(step).__name__
            if kind not in stay:
                raise ValueError(
                    f'gaze: {reason}, but {kind} comes after LoadGazeMaps in the {self.name} '
                    'pipeline, where gaze could not follow it: put it into its transforms if it '
                    f"moves the picture, else name it (GazeCountHook(stay=['{kind}']))"
                )
            if isinstance(step, PackActionInputs) and not set(FIELDS) <= {*step.algorithm_keys}:
                raise ValueError(
                    f'gaze: {reason}, but PackActionInputs of the {self.name} pipeline leaves the '
                    f'gaze out: set algorithm_keys={FIELDS}'
                )

    def check_units(self, runner: Runner) -> None:
        """Log how much of the gaze fits its videos.

        Raises:
            ValueError: Most of it does not.
        """
        for leaf in self.leaves:
            videos = [video for video in dict.fromkeys(leaf.videos) if video in leaf.with_gaze]
            for step in leaf.loading:
                if (fit := fit_of_gaze(step, videos)) is not None:
                    fit.refuse_others(self.name, step.fixations)
                    runner.logger.log(logging.WARNING if fit.doubtful else logging.INFO, str(fit))

    def log(self, runner: Runner, refuse: bool = False) -> None:
        """Log how many clips have gaze; nothing where no pipeline loads it.

        Raises:
            ValueError: None has, and that is to be refused.
        """
        tables = dict.fromkeys(str(one.fixations) for leaf in self.leaves for one in leaf.loading)
        if not tables:
            return
        clips = [(video, video in leaf.with_gaze) for leaf in self.leaves for video in leaf.videos]
        without = [video for video, known in clips if not known]
        line = (
            f'gaze: {len(clips) - len(without)} of {len(clips)} clips of the {self.name} list have '
            f'fixations (table: {", ".join(tables)})'
        )
        if without:
            named = [*dict.fromkeys(without)]
            more = ', ...' if len(named) > NAMED else ''
            line = f'{line}; without: {", ".join(named[:NAMED])}{more}'
        if len(without) < len(clips):
            runner.logger.info(line)
        elif refuse:
            raise ValueError(f'{line}; the column video of the table must have their names')
        else:
            runner.logger.warning(line)


def check_save_best(runner: Runner) -> None:
    """Refuse to keep checkpoints by a gaze score that does not exist, or the worst by one.

    Raises:
        ValueError: So it is.
    """
    given = _has_gaze_metric(getattr(runner.val_loop, 'evaluator', None))
    for hook in runner.hooks:
        if not isinstance(hook, CheckpointHook) or hook.save_best is None:
            continue
        for key, rule in zip(hook.key_indicators, hook.rules, strict=True):
            if runner.val_loop is None or not str(key).startswith('gaze/'):
                continue
            name = key.removeprefix('gaze/')
            if not given or name not in SCORES:
                listed = ', '.join(f'gaze/{score}' for score in SCORES)
                raise ValueError(
                    f'gaze: save_best has {key}, but val_evaluator gives '
                    f'{listed if given else "no gaze scores: it has no GazeMetric"}'
                )
            if rule != ('less' if name == 'kld' else 'greater'):
                raise ValueError(
                    f"gaze: save_best would keep the worst by {key}: rule='{rule}' is wrong for it "
                    "(several need one each: rule=['greater', 'less'])"
                )


def pair_lists(lists: Sequence[GazeList]) -> None:
    """Let every LoadGazeMaps pair the videos of all lists, not only of its own.

    A table with ``a.avi`` fits ``train/a.avi`` and ``val/a.avi``, and each list alone would not
    show that it cannot mean both.

    Raises:
        ValueError: The table's names fit several videos.
    """
    leaves = [leaf for one in lists for leaf in one.leaves]
    videos = list(dict.fromkeys(v for leaf in leaves if leaf.loading for v in leaf.videos))
    for leaf in leaves:
        for step in leaf.loading:
            pairs = step.pair(videos)
            leaf.with_gaze = frozenset(video for video in videos if pairs[video] is not None)


def _leaf_datasets(dataset: Any) -> list:
    """The datasets with a pipeline, inside of those that only join or repeat others."""
    if hasattr(dataset, 'pipeline'):
        return [dataset]
    parts = [*getattr(dataset, 'datasets', ())]
    if hasattr(dataset, 'dataset'):
        parts.append(dataset.dataset)
    return [leaf for part in parts for leaf in _leaf_datasets(part)]


def _steps(dataset: Any) -> list:
    """Of a dataset's pipeline, out of what another hook may have put around it."""
    pipeline = dataset.pipeline
    while hasattr(pipeline, 'pipeline'):
        pipeline = pipeline.pipeline
    return list(getattr(pipeline, 'transforms', ()))


def _videos(dataset: Any) -> list[str]:
    """File or folder of frames of each clip of a dataset."""
    infos = (dataset.get_data_info(index) for index in range(len(dataset)))
    return [str(info.get('filename') or info.get('frame_dir')) for info in infos]


def _has_gaze_metric(evaluator: Any) -> bool:
    return any(isinstance(one, GazeMetric) for one in getattr(evaluator, 'metrics', ()))
