"""Every method on every clip with known evidence, in steps that can be interrupted."""

import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from torch import nn

from mmsal.attribution import Explainer, open_explainer
from mmsal.comparison.evidence.clips import KnownClip
from mmsal.comparison.evidence.deletion import ORDERS, STARTS, PixelCurves, random_map
from mmsal.comparison.evidence.regions import evidence_by_frame
from mmsal.datasets.synthetic import read_truth
from mmsal.datasets.synthetic.make import SETTINGS as CLIP_SETTINGS
from mmsal.explain import ClipPipeline, predict_video
from mmsal.explain.merge import merge_clips
from mmsal.heatmaps import HeatmapSequence
from mmsal.heatmaps.atomic import atomic_files

# Stands where a method would: the predictions, and the curves of random maps.
RANDOM = 'random'
SETTINGS = 'settings.json'
PARTS = 'parts'


@dataclass(frozen=True)
class EvidenceOptions:
    """What is measured, the same for every clip.

    Attributes:
        dilations: Pixels by which the regions are widened; each gives rows of its own.
        orders: What deletion and insertion rank: ``'pixels'``, ``'frames'`` or both.
        steps: Of the curves of pixels.
        start: What insertion starts from, ``'blur'`` or ``'mean'``.
        seed: Of random orders and intervals.

    Raises:
        ValueError: An option that makes no sense.
    """

    dilations: tuple[int, ...] = (0, 8)
    orders: tuple[str, ...] = ('pixels',)
    steps: int = 20
    start: str = 'blur'
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f'expected steps of at least 1, got {self.steps}')
        if self.seed < 0:
            raise ValueError(f'expected a seed of 0 or more, got {self.seed}')
        if self.start not in STARTS:
            raise ValueError(f'expected start to be one of {", ".join(STARTS)}, got {self.start!r}')
        for dilation in self.dilations:
            if dilation < 0:
                raise ValueError(f'expected dilations of 0 pixels or more, got {dilation}')
        for order in self.orders:
            if order not in ORDERS:
                raise ValueError(f'expected orders of {", ".join(ORDERS)}, got {order!r}')


class Tables(NamedTuple):
    """What was found; the columns are those of the files of the same names.

    Attributes:
        predictions: A row per clip.
        frames: Per clip, method, frame, region and dilation.
        deletion: Per clip, method (or random), order, kind and fraction.
    """

    predictions: pd.DataFrame
    frames: pd.DataFrame
    deletion: pd.DataFrame


def check_methods(model: nn.Module, methods: Sequence[str]) -> None:
    """Refuse a method that does not exist or cannot explain the model, before time is spent.

    Raises:
        ValueError: Names it.
    """
    for method in methods:
        with open_explainer(model, method):
            pass


def claim_folder(
    out_dir: Path, model: nn.Module, clips_dir: Path, options: EvidenceOptions, overwrite: bool
) -> None:
    """Make sure that the folder holds results of these settings only; leave the settings in it.

    Raises:
        ValueError: It holds results of others, and ``overwrite`` is False.
    """
    dataset = model.cfg.get('test_dataloader', {}).get('dataset', {})
    settings = {
        'synthetic': True,
        'clips': json.loads((clips_dir / CLIP_SETTINGS).read_text(encoding='utf-8')),
        'checkpoint': model.checkpoint_info['sha256'],
        'model': model.cfg.model,
        'pipeline': dataset.get('pipeline') or model.cfg.get('test_pipeline'),
        **asdict(options),
    }
    text = json.dumps(settings, indent=2, default=str) + '\n'
    path = out_dir / SETTINGS
    if path.exists() and (found := path.read_text(encoding='utf-8')) != text:
        if not overwrite:
            changed = _changed(found, json.loads(text))
            raise ValueError(
                f'{out_dir} holds results of {changed}: choose another folder, the same settings, '
                'or --overwrite'
            )
        for part in (out_dir / PARTS).glob('*/*.csv'):
            part.unlink()
    out_dir.mkdir(parents=True, exist_ok=True)
    with atomic_files(path) as (temporary,):
        temporary.write_text(text, encoding='utf-8')


def _changed(found: str, settings: dict) -> str:
    try:
        old = json.loads(found)
        return f'other {", ".join(key for key in settings if old.get(key) != settings[key])}'
    except (ValueError, AttributeError):
        return f'something else ({SETTINGS} is not from here)'


def measure_clips(
    model: nn.Module,
    clips: Sequence[KnownClip],
    methods: Sequence[str],
    options: EvidenceOptions,
    out_dir: Path,
    overwrite: bool = False,
) -> Iterator[tuple[str, str, str]]:
    """Measure what is not measured yet, a file pair in ``out_dir`` per method and clip.

    The explained class is the one that the network predicts for the clip, right or wrong: a map
    shows what the network went by. Random orders come first, as ``RANDOM``.

    Args:
        model (nn.Module): From :func:`mmsal.explain.load_recognizer`.
        clips (Sequence[KnownClip]): From :func:`list_known_clips`.
        methods (Sequence[str]): Of ``mmsal.attribution.METHODS``.
        options (EvidenceOptions): What is measured.
        out_dir (Path): Claimed by :func:`claim_folder`.
        overwrite (bool): Measure again what is there.

    Yields:
        Method, name of the clip, and what went wrong (empty where nothing did).
    """
    pipeline = ClipPipeline(model.cfg)
    for method in (RANDOM, *methods):
        (out_dir / PARTS / method).mkdir(parents=True, exist_ok=True)
        with nullcontext() if method == RANDOM else open_explainer(model, method) as explainer:
            for clip in clips:
                error = ''
                paths = _part(out_dir, method, clip)
                if overwrite or not all(path.exists() for path in paths):
                    try:
                        tables = _measure(model, pipeline, clip, explainer, method, options)
                    except (ValueError, OSError) as fault:
                        error = str(fault)
                    else:
                        with atomic_files(*paths) as temporary:
                            for table, path in zip(tables, temporary, strict=True):
                                table.to_csv(path, index=False)
                yield method, clip.name, error


def collect(out_dir: Path, clips: Sequence[KnownClip], methods: Sequence[str]) -> Tables:
    """Read what was measured on these clips with these methods; what failed is not in it.

    Raises:
        ValueError: Nothing was measured.
    """
    first, second = [], []
    for method in (RANDOM, *methods):
        for clip in clips:
            paths = _part(out_dir, method, clip)
            if all(path.exists() for path in paths):
                (first if method == RANDOM else second).append([pd.read_csv(p) for p in paths])
    if not first or not second:
        raise ValueError(f'nothing could be measured on the {len(clips)} clips')
    predictions, references = zip(*first, strict=True)
    frames, curves = zip(*second, strict=True)
    join = {'ignore_index': True}
    return Tables(
        pd.concat(predictions, **join),
        pd.concat(frames, **join),
        pd.concat([*references, *curves], **join),
    )


def _part(out_dir: Path, method: str, clip: KnownClip) -> list[Path]:
    kind = 'prediction' if method == RANDOM else 'frames'
    folder = out_dir / PARTS / method
    return [folder / f'{clip.name}.{kind}.csv', folder / f'{clip.name}.deletion.csv']


def _measure(
    model: nn.Module,
    pipeline: ClipPipeline,
    clip: KnownClip,
    explainer: Explainer | None,
    method: str,
    options: EvidenceOptions,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The two tables of one clip and method; without an explainer those of ``RANDOM``."""
    info = pipeline.probe(clip.video)
    prepared = pipeline.prepare(info, clip.frames)
    prediction = predict_video(model, clip.video, [clip.frames])
    curves = PixelCurves(model, prepared.data, prediction.top, options.steps, options.start)
    # Each clip has random numbers of its own, or all would share one lucky draw.
    seed = zlib.crc32(f'{options.seed} {clip.name}'.encode())
    if explainer is None:
        raw = random_map(curves.map_shape, seed)
        table = pd.DataFrame(
            {'label': [clip.label], 'prediction': prediction.label, 'probability': prediction.score}
        )
    else:
        found = explainer.localize(prepared.data, prediction.top)[0]
        frames, values, seen = merge_clips([found], [prepared], info, 'source')
        heatmaps = HeatmapSequence(values, frames, seen=seen)
        table = evidence_by_frame(heatmaps, read_truth(clip.truth), options.dilations)
        table.insert(0, 'method', method)
        raw = found.raw
    traced = []
    for order in options.orders:
        for kind, curve in curves.of_map(raw, order, seed).items():
            keys = {'method': method, 'order': order, 'kind': kind}
            traced.append(pd.DataFrame({**keys, **vars(curve)}))
    return _of_clip(table, clip), _of_clip(pd.concat(traced, ignore_index=True), clip)


def _of_clip(table: pd.DataFrame, clip: KnownClip) -> pd.DataFrame:
    table.insert(0, 'video', clip.video.name)
    table.insert(1, 'range', clip.range)
    return table
