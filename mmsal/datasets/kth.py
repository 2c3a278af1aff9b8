"""The KTH action database as a dataset of MMAction2."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mmaction.datasets.base import BaseActionDataset
from mmaction.registry import DATASETS
from mmengine.logging import print_log

from .kth_sequences import (
    ACTIONS,
    OFFICIAL_SPLIT,
    SUBSETS,
    KTHName,
    clip_id,
    parse_name,
    read_activitynet,
    read_sequences,
    split_groups,
)
from .video import count_frames

__all__ = ['KTHDataset']

_VIDEO_SUFFIXES = ('.avi', '.mp4', '.mkv', '.mov')


class _Sample(NamedTuple):
    """One sample before its file is looked up; `clip` names the file, `index` the part of it."""

    name: KTHName
    clip: str
    index: int | None = None
    clip_range: tuple[int, int] | None = None
    subset: str | None = None

    @property
    def video_id(self) -> str:
        return self.clip if self.index is None else f'{self.clip}#{self.index}'


# By the recording, not by the file: parts cut into files of their own stay together.
_GROUP_KEYS = {
    'person': lambda sample: sample.name.person,
    'file': lambda sample: sample.name.stem,
    'sequence': lambda sample: sample.video_id,
}


@DATASETS.register_module()
class KTHDataset(BaseActionDataset):
    """KTH actions from video files or extracted frames, a sample per sub-sequence or per file.

    Files lie in the folder of ``data_prefix`` or in one folder per action below it
    (``walking/person01_walking_d1_uncomp.avi``). ``_uncomp`` may be absent. With
    ``dict(img=...)`` there is a folder of frames in place of each file.

    If there is a list of sub-sequences (``00sequences.txt``), each of them is a sample and has a
    ``clip_range``, which takes effect through :class:`~mmsal.datasets.ClipRange` in the pipeline.
    Without a list, and with ``split='json'``, each file is a sample.

    A sample has the keys ``label`` (position of its action in ``classes``), ``video_id``
    (``'person01_walking_d1#0'``; without ``#0`` for whole files), ``person``, ``scenario``, for
    parts of files ``clip_range`` (zero-based, half-open), and ``filename`` for videos or
    ``frame_dir``, ``total_frames`` and ``filename_tmpl`` for frames.

    Args:
        ann_file: List of sub-sequences; by default ``00sequences.txt`` in the folder of
            ``data_prefix`` if there is one. With ``split='json'``, the JSON file.
        pipeline: Transforms, as for every dataset of MMAction2.
        data_prefix: ``dict(video=FOLDER)`` or ``dict(img=FOLDER)``, relative to ``data_root``; by
            default ``dict(video='')``, that is ``data_root`` itself.
        classes: Actions to use, in the order of their labels.
        subset: ``'train'``, ``'val'``, ``'test'`` or ``'all'``.
        split: ``'person'`` is the official split of the ICPR 2004 paper. ``'random'`` divides
            the listed files (present or not) by ``seed``, ``ratios`` and ``group``. ``'json'``
            takes subset and label from an ActivityNet-style file: ``{"labels": [...],
            "database": {CLIP: {"subset": "training"|"validation"|"testing", "annotations":
            {"label": ACTION}}}}``. Its annotations may have ``"frames": [start, end]``,
            zero-based and half-open, or ``"segment": [start, end]`` as in 3D-ResNets-PyTorch,
            half-open too but counted from 1.
        seed: Seed of the random split.
        ratios: Shares of train, val and test in the random split.
        group: What the random split keeps together: ``'person'``, ``'file'`` or ``'sequence'``.
            With the last two, the same person is in train and test, and accuracy means less.
        missing: ``'error'``, or ``'skip'`` to use the listed files that exist and log how many
            do not.
        filename_tmpl: Names of extracted frames.
        start_index: Number of the first frame; by default 0 for videos, 1 for frames.
        metainfo: Further meta information. ``classes`` is added to it, so MMEngine saves the
            class names in every checkpoint.
        kwargs: Arguments of ``mmaction.datasets.BaseActionDataset``.

    Raises:
        ValueError: An option has none of the values above, an annotation file is malformed, a
            clip is there twice, or no sample is left.
        FileNotFoundError: A folder, the annotation file or, with ``missing='error'``, some of
            the listed files do not exist.
    """

    METAINFO = {'classes': ('walking', 'running')}

    def __init__(
        self,
        ann_file: str | None = '',
        pipeline: Sequence[dict | Callable] = (),
        data_prefix: Mapping[str, str] | None = None,
        classes: Sequence[str] = ('walking', 'running'),
        subset: str = 'train',
        split: str = 'person',
        seed: int = 0,
        ratios: Sequence[float] = (0.6, 0.2, 0.2),
        group: str = 'person',
        missing: str = 'error',
        filename_tmpl: str = 'image_{:05d}.jpg',
        start_index: int | None = None,
        metainfo: Mapping | None = None,
        **kwargs,
    ) -> None:
        classes = (classes,) if isinstance(classes, str) else tuple(classes)
        for name in classes:
            _check_option('class', name, ACTIONS)
        if not classes or len(set(classes)) != len(classes):
            raise ValueError(f'KTHDataset: expected classes, each once, got {classes}')
        _check_option('subset', subset, (*SUBSETS, 'all'))
        _check_option('split', split, ('person', 'json', 'random'))
        _check_option('group', group, tuple(_GROUP_KEYS))
        _check_option('missing', missing, ('error', 'skip'))
        data_prefix = dict(data_prefix or {'video': ''})
        if set(data_prefix) not in ({'video'}, {'img'}):
            raise ValueError(
                f'KTHDataset: expected data_prefix=dict(video=...) or dict(img=...), got '
                f'{data_prefix}'
            )
        self.from_frames = 'img' in data_prefix
        self.classes, self.subset, self.split, self.missing = classes, subset, split, missing
        self.seed, self.ratios, self.group = seed, tuple(ratios), group
        self.filename_tmpl = filename_tmpl
        if start_index is None:
            start_index = 1 if self.from_frames else 0
        super().__init__(
            ann_file or '',
            pipeline=list(pipeline),
            data_prefix=data_prefix,
            start_index=start_index,
            metainfo={**(metainfo or {}), 'classes': classes},
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """List the samples of the chosen classes and subset, sorted by name."""
        folder = Path(next(iter(self.data_prefix.values())))
        if not folder.is_dir():
            raise FileNotFoundError(
                f'KTHDataset: the folder {folder} does not exist. Download KTH with '
                'tools/data/kth/download_kth.sh, or correct data_root and data_prefix.'
            )
        files = _find_clips(folder, self.from_frames)
        source, samples = self._list_samples(folder, files)
        samples = [sample for sample in samples if sample.name.action in self.classes]
        samples = self._choose_subset(samples)
        samples = self._drop_missing(samples, files, source, folder)
        data_list = [self._describe(sample, files[sample.clip]) for sample in samples]
        if not data_list:
            raise ValueError(
                f'KTHDataset: no sample of classes {", ".join(self.classes)} in subset '
                f'{self.subset!r} (split={self.split!r}) of {source}'
            )
        return data_list

    def _list_samples(self, folder: Path, files: Mapping[str, Path]) -> tuple[Path, list[_Sample]]:
        """Return where the list of samples comes from, and the list, all classes and subsets."""
        if self.split == 'json':
            return self._list_json()
        source = Path(self.ann_file) if self.ann_file else folder / '00sequences.txt'
        if self.ann_file and not source.is_file():
            raise FileNotFoundError(f'KTHDataset: the annotation file {source} does not exist')
        if source.suffix == '.json':
            raise ValueError(f"KTHDataset: {source} is a JSON file; pass split='json' with it")
        if source.is_file():
            return source, [
                _Sample(parse_name(stem), stem, index, clip_range)
                for stem, ranges in sorted(read_sequences(source).items())
                for index, clip_range in enumerate(ranges)
            ]
        # No list: what lies in the folder is the list.
        return folder, [_Sample(parse_name(clip.partition('#')[0]), clip) for clip in sorted(files)]

    def _list_json(self) -> tuple[Path, list[_Sample]]:
        if not self.ann_file:
            raise ValueError("KTHDataset: split='json' needs the JSON file as ann_file")
        source = Path(self.ann_file)
        if not source.is_file():
            raise FileNotFoundError(f'KTHDataset: the annotation file {source} does not exist')
        samples = []
        for clip, (subset, clip_range) in sorted(read_activitynet(source).items()):
            name = parse_name(clip.partition('#')[0])
            samples.append(_Sample(name, clip, clip_range=clip_range, subset=subset))
        return source, samples

    def _choose_subset(self, samples: list[_Sample]) -> list[_Sample]:
        if self.subset == 'all':
            return samples
        if self.split == 'json':
            return [sample for sample in samples if sample.subset == self.subset]
        if self.split == 'person':
            known = {person for persons in OFFICIAL_SPLIT.values() for person in persons}
            for sample in samples:
                if sample.name.person not in known:
                    raise ValueError(
                        f'KTHDataset: {sample.clip}: the official split has persons 1 to 25; '
                        "use split='random' or split='json' for others"
                    )
            persons = OFFICIAL_SPLIT[self.subset]
            return [sample for sample in samples if sample.name.person in persons]
        if self.group != 'person':
            print_log(
                f'KTHDataset: a random split by {self.group} puts the same persons into train '
                "and test; group='person' does not",
                logger='current',
                level=logging.WARNING,
            )
        key = _GROUP_KEYS[self.group]
        assigned = split_groups([(key(s), s.name.action) for s in samples], self.ratios, self.seed)
        return [sample for sample in samples if assigned[key(sample)] == self.subset]

    def _drop_missing(
        self, samples: list[_Sample], files: Mapping[str, Path], source: Path, folder: Path
    ) -> list[_Sample]:
        listed = sorted({sample.clip for sample in samples})
        absent = [clip for clip in listed if clip not in files]
        if not absent:
            return samples
        kind = 'frame folders' if self.from_frames else 'video files'
        fault = (
            f'KTHDataset: {len(absent)} of {len(listed)} {kind} listed in {source} '
            f'(classes {", ".join(self.classes)}; subset {self.subset}) are missing under '
            f'{folder}: {", ".join(absent[:5])}{", ..." if len(absent) > 5 else "."}'
        )
        if self.missing == 'error':
            raise FileNotFoundError(
                f'{fault} Download them with tools/data/kth/download_kth.sh, or pass '
                'missing="skip" to use only the files that exist.'
            )
        print_log(f'{fault} They are skipped.', logger='current', level=logging.WARNING)
        return [sample for sample in samples if sample.clip in files]

    def _describe(self, sample: _Sample, path: Path) -> dict:
        """Turn a sample into the dict that the pipeline gets."""
        info = {
            'label': self.classes.index(sample.name.action),
            'video_id': sample.video_id,
            'person': sample.name.person,
            'scenario': sample.name.scenario,
        }
        if sample.clip_range is not None:
            info['clip_range'] = sample.clip_range
        if not self.from_frames:
            return {'filename': str(path), **info}
        info['total_frames'] = count_frames(path, self.filename_tmpl, self.start_index)
        return {'frame_dir': str(path), 'filename_tmpl': self.filename_tmpl, **info}


def _check_option(what: str, value: object, valid: Sequence[str]) -> None:
    if value not in valid:
        raise ValueError(
            f'KTHDataset: unknown {what} {value!r}; expected one of {", ".join(valid)}'
        )


def _find_clips(folder: Path, from_frames: bool) -> dict[str, Path]:
    """Map clips to their files (or folders of frames), in `folder` and its folders per action."""
    found: dict[str, Path] = {}
    for place in (folder, *(folder / action for action in ACTIONS)):
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            if from_frames != path.is_dir():
                continue
            if not from_frames and path.suffix.lower() not in _VIDEO_SUFFIXES:
                continue
            try:
                clip = clip_id(path.name if from_frames else path.stem)
            except ValueError:
                continue  # not KTH's: notes, other videos, the folders per action
            if clip in found:
                raise ValueError(f'KTHDataset: {clip} is there twice: {found[clip]} and {path}')
            found[clip] = path
    return found
