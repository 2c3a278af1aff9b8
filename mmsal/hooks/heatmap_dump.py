"""Heatmap files of every sample, written while test.py tests."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmaction.registry import HOOKS
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmsal.datasets.chance import chance_restored
from mmsal.explain import HEATMAP_SUFFIXES, Effort, Manifest, Output, Question, Ranks
from mmsal.explain.batch import explain_group
from mmsal.explain.decoding import Decoded, one_line
from mmsal.explain.manifest import failed
from mmsal.explain.recognizer import sha256
from mmsal.heatmaps.grid import MAX_DECIMALS
from mmsal.hooks.borrowed import as_recognizer, bare_model, names_of_classes, weights_digest
from mmsal.hooks.samples import (
    Source,
    Trace,
    list_samples,
    stop_tracing,
    take_traces,
    taken,
    trace_samples,
)


@HOOKS.register_module()
class HeatmapDumpHook(Hook):
    """Writes what ``vis_cam.py`` writes, for every sample that ``test.py`` tests.

    The samples are those of the test loop, decoded once; the network looks at each a second time,
    to explain it. The results of the test are the same as without the hook. A sample that cannot
    be explained is noted in the manifest and logged at the end, and the test goes on.

    A sample's files are named after its video's path below the dataset's ``data_prefix``, and,
    where the sample is a part of the video, its frame range as KTH counts:
    ``person02_walking_d1_uncomp.frames-1-75.txt``.

    Args:
        out_dir (str): Folder for the files, ``manifest.csv`` and ``settings.json``.
        method (str): See :func:`mmsal.attribution.open_explainer`. Defaults to ``'gradcam'``.
        target (int | str, optional): Class number (from 0) or name; None explains each sample's
            predicted class.
        target_layer_name (str, optional): None takes the model's last layers.
        method_options (dict, optional): Options of the method.
        space (str): ``'source'`` for the source video's pixels, ``'input'`` for the network's.
        suffix (str): ``'.txt'``, ``'.txt.gz'`` or ``'.npz'``. Defaults to ``'.txt'``.
        decimals (int): Digits after the point in text files. Defaults to 6.
        overwrite (bool): Explain again what the manifest says is done, also with other settings.
        batch_size (int): Samples of a test batch that are explained at once. With 1, the default
            here as in ``vis_cam.py``, a file does not depend on its sample's company, not even in
            the last digit.

    Raises:
        ValueError: An option has none of the values above. Before the first batch: the class, the
            layer or the method does not exist, two samples would get one file, or the folder
            holds maps made otherwise.
        TargetLayerError: With the first batch: the layer cannot be explained.
    """

    # After the EMA hook has put the averaged weights in: they are what is tested.
    priority = 'BELOW_NORMAL'

    def __init__(
        self,
        out_dir: str,
        method: str = 'gradcam',
        target: int | str | None = None,
        target_layer_name: str | None = None,
        method_options: Mapping[str, Any] | None = None,
        space: str = 'source',
        suffix: str = '.txt',
        decimals: int = 6,
        overwrite: bool = False,
        batch_size: int = 1,
    ) -> None:
        if suffix not in HEATMAP_SUFFIXES:
            listed = ', '.join(HEATMAP_SUFFIXES)
            raise ValueError(f'expected suffix to be one of {listed}, got {suffix!r}')
        if decimals not in range(1, MAX_DECIMALS + 1):
            raise ValueError(f'expected decimals from 1 to {MAX_DECIMALS}, got {decimals}')
        self.question = Question(
            method, target_layer_name, dict(method_options or {}), target, space
        )
        self.batch_size = Effort(batch_size).batch_size
        self.output = Output(Path(out_dir), suffix, decimals, overwrite)
        self._checkpoint: str | None = None
        self._trained: dict = {}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note where the weights come from."""
        self._checkpoint = runner._load_from
        self._trained = (checkpoint.get('meta') or {}).get('dataset_meta') or {}

    def before_train(self, runner: Runner) -> None:
        """Note that the weights are about to become others than the checkpoint's."""
        self._checkpoint = None

    def before_test_epoch(self, runner: Runner) -> None:
        """Refuse what cannot work, then let the samples carry what leads back to their source."""
        loader = runner.test_dataloader
        self._facts = {
            'class_names': names_of_classes(
                runner, self._trained, getattr(loader.dataset, 'metainfo', {})
            ),
            'checkpoint_info': {
                'path': self._checkpoint,
                'sha256': None if self._checkpoint is None else sha256(self._checkpoint),
            },
        }
        with as_recognizer(runner, **self._facts) as model, self.question.open(model):
            pass
        self._jobs = list_samples(loader.dataset)
        self._ranks = Ranks(get_rank(), get_world_size())
        self._ranks.first(lambda: self._begin(runner))
        # A killed run goes on where it was: from what is in the manifest now.
        self._manifest = Manifest(self.output.folder, self.output.overwrite)
        shared = self._ranks.world > 1
        part = self._manifest.part(self._ranks.rank) if shared else self._manifest
        self._record = part.record
        self._probe = lru_cache(maxsize=64)(Source.probe)
        trace_samples(loader)

    def _begin(self, runner: Runner) -> None:
        self.output.folder.mkdir(parents=True, exist_ok=True)
        manifest = Manifest(self.output.folder, self.output.overwrite)
        manifest.gather()
        dataset = runner.cfg.get('test_dataloader', {}).get('dataset', {})
        settings = {
            # Not the whole config: where this run writes, say, changes nothing in the maps.
            'model': runner.cfg.get('model'),
            'pipeline': dataset.get('pipeline') or dataset,
            'weights_sha256': weights_digest(bare_model(runner)),
            'decimals': self.output.decimals,
            'format': self.output.suffix.lstrip('.'),
            **asdict(self.question),
        }
        ranges = {str(job.video): job.frame_ranges for job in self._jobs.values()}
        # As JSON gives them back, to be compared: lists, not tuples.
        settings, ranges = json.loads(json.dumps([settings, ranges], default=repr))
        try:
            manifest.begin(settings, ranges, self.output.overwrite)
        except ValueError as error:
            way_out = str(error).replace('pass --overwrite', "set the hook's overwrite=True")
            raise ValueError(way_out) from error
        owners = {row.output: row.video for row in manifest.rows.values()}
        for job in self._jobs.values():
            if owners.get(self.output.name(job), str(job.video)) != str(job.video):
                manifest.claim(str(job.video), self.output.name(job))  # which says whose it is

    def before_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Take off the batch what was attached to it: no metric and no dump shall see it."""
        self._traces = take_traces(data_batch)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Explain the batch."""
        group = []
        for place, trace in enumerate(self._traces):
            if self._jobs.setdefault(trace.job.stem, trace.job) != trace.job:
                raise taken(trace.job, self._jobs[trace.job.stem])
            if not self._manifest.is_done(str(trace.job.video), self.output.name(trace.job)):
                data = {key: [data_batch[key][place]] for key in ('inputs', 'data_samples')}
                group.append(self._rejoin(trace, data))
        if not group:
            return
        with (
            chance_restored(),
            as_recognizer(runner, **self._facts) as model,
            self.question.open(model) as explainer,
        ):
            for start in range(0, len(group), self.batch_size):
                some = group[start : start + self.batch_size]
                for row in explain_group(
                    explainer, some, self.output, self.question, self.batch_size
                ):
                    self._record(row)

    def _rejoin(self, trace: Trace, data: dict) -> Decoded:
        try:
            video, error = trace.rejoin(data, self._probe(trace.source)), ''
        except (ValueError, OSError) as fault:  # this video's: the others go on
            video, error = None, one_line(fault)
        return Decoded(trace.job, video, error, 0.0)

    def after_test_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Put everything back, gather the manifest and log what failed."""
        stop_tracing(runner.test_dataloader)
        self._ranks.wait()
        self._ranks.first(self._manifest.gather)
        if self._ranks.rank:
            return
        rows = [self._manifest.rows.get(str(job.video)) for job in self._jobs.values()]
        failures = failed(rows)
        for row in failures:
            runner.logger.warning(f'no heatmaps of {row.video}: {row.error}')
        runner.logger.info(
            f'heatmaps of {len(rows) - len(failures)} of {len(rows)} samples: {self.output.folder}'
        )
