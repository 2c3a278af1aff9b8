"""One training of benchmarks/gaze_shortcut.py and its evaluation, on SYNTHETIC clips."""

import dataclasses
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from mmaction.evaluation import AccMetric
from mmaction.registry import MODELS, TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper
from torch.utils.data import DataLoader

from mmsal.datasets import KTHDataset
from mmsal.datasets.kth_sequences import OFFICIAL_SPLIT, parse_name
from mmsal.evaluation import GazeMetric

SIZE, GRID = (80, 60), (8, 10)  # width and height of the input; rows and columns of the last stage
FIXATIONS = 'fixations.csv'  # beside the clips
SIGMA = 10.0  # one degree in source pixels (mmsal/datasets/synthetic/observers.py)
CUES = {'none': 'without', 'class': 'right', 'other': 'misleading'}


@dataclass(frozen=True)
class Condition:
    """What a network is trained with.

    Attributes:
        target: Of GazeAlignmentLoss; None for the class loss alone.
        weight, metric: Of GazeAlignmentLoss.
        shuffled: Whether videos have the fixations of others.
    """

    target: str | None = None
    weight: float = 1.0
    metric: str = 'cc'
    shuffled: bool = False


@dataclass(frozen=True)
class Settings:
    """How long and on what.

    Attributes:
        data: Folder of the clips.
        subset: Whose clips are held out, ``'val'`` or ``'test'``.
        epochs, batch_size, learning_rate: Of training.
        cue: Mode of PlantShortcut in training.
        reliability: Share of training clips whose cue is right.
        cue_size: Height and width of the cue in pixels of the source video.
    """

    data: Path
    subset: str = 'test'
    epochs: int = 20
    batch_size: int = 16
    learning_rate: float = 2e-3
    cue: str = 'class'
    reliability: float = 1.0
    cue_size: int = 16


@TRANSFORMS.register_module()
class VideoInMemory(BaseTransform):
    """Stands in for DecordInit: what it opens was decoded once and is grey frames in memory."""

    kept: dict[str, 'KeptFrames'] = {}

    def transform(self, results: dict) -> dict:
        """Open results['filename']."""
        name = results['filename']
        if name not in self.kept:
            self.kept[name] = KeptFrames(name)
        results['video_reader'] = self.kept[name]
        results['total_frames'] = len(self.kept[name].grey)
        return results


class KeptFrames:
    """What DecordDecode wants of a reader."""

    def __init__(self, path: str) -> None:
        import decord

        reader = decord.VideoReader(path, num_threads=1)
        frames = reader.get_batch(range(len(reader))).asnumpy()
        if (frames != frames[..., :1]).any():
            raise ValueError(f'expected grey frames, as synthetic clips have, in {path}')
        self.grey = frames[..., 0].copy()

    def get_batch(self, indices: np.ndarray) -> 'Batch':
        return Batch(np.repeat(self.grey[np.asarray(indices)][..., None], 3, axis=3))


class Batch:
    """What decord's get_batch returns."""

    def __init__(self, frames: np.ndarray) -> None:
        self.frames = frames

    def asnumpy(self) -> np.ndarray:
        return self.frames


def shuffle_gaze(table: pd.DataFrame, videos: list[str], seed: int) -> pd.DataFrame:
    """Give each of the videos another person's fixations; their order in time stays.

    Of another person, because a person's walking and running clips share everything but the legs.
    """
    rng = np.random.default_rng([seed, 7])
    persons = np.array([parse_name(Path(video).stem).person for video in videos])
    order = rng.permutation(len(videos))
    # A place that holds its own person is swapped with any place where this makes both right.
    for place in range(len(videos)):
        if persons[order[place]] == persons[place]:
            fits = (persons[order] != persons[place]) & (persons != persons[order[place]])
            other = rng.choice(np.flatnonzero(fits))
            order[[place, other]] = order[[other, place]]
    names = {videos[source]: videos[place] for place, source in enumerate(order)}
    return table.assign(video=table['video'].map(names)).dropna(subset=['video'])


def fixations_for(settings: Settings, condition: Condition, seed: int) -> Path:
    """Fixation table for training."""
    return shuffled(settings, 'train', seed) if condition.shuffled else settings.data / FIXATIONS


def gaze_of_others(settings: Settings) -> Path:
    """Fixation table in which every held-out video has the gaze of another person's."""
    return shuffled(settings, settings.subset, 0)


def shuffled(settings: Settings, subset: str, seed: int) -> Path:
    """Fixation table of the videos of a subset, shuffled among them."""
    path = settings.data / 'shuffled' / f'{subset}_{seed}.csv'
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        table = pd.read_csv(settings.data / FIXATIONS)
        videos = [
            video
            for video in sorted(table['video'].unique())
            if parse_name(Path(video).stem).person in OFFICIAL_SPLIT[subset]
        ]
        temporary = path.with_suffix(f'.{os.getpid()}.part')
        shuffle_gaze(table, videos, seed).to_csv(temporary, index=False)
        temporary.replace(path)
    return path


def pipeline(fixations: Path, cue: dict, train: bool) -> list[dict]:
    """From a clip of the list to packed inputs with their gaze."""
    moves = [dict(type='Resize', scale=SIZE, keep_ratio=False)]
    if train:
        crop = dict(type='RandomResizedCrop', area_range=(0.7, 1.0), aspect_ratio_range=(1.2, 1.5))
        moves = [crop, *moves, dict(type='Flip', flip_ratio=0.5)]
    sample = dict(type='SampleFrames', clip_len=4, frame_interval=4, num_clips=1)
    return [
        dict(type='VideoInMemory'),
        dict(type='ClipRange'),
        dict(sample, test_mode=not train),
        dict(type='DecordDecode'),
        dict(type='PlantShortcut', **cue),
        dict(
            type='LoadGazeMaps',
            fixations=str(fixations),
            map_size=GRID,
            sigma=SIGMA,
            transforms=moves,
        ),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(
            type='PackActionInputs',
            algorithm_keys=('gaze_maps', 'gaze_points'),
            meta_keys=('img_shape', 'video_id', 'shortcut'),
        ),
    ]


def build_model(gaze_loss: dict | None) -> torch.nn.Module:
    """A narrow ResNet3d-18 without its last stage, whose maps are 4 x 8 x 10."""
    return MODELS.build(
        dict(
            type='GazeAlignedRecognizer3D',
            gaze_loss=gaze_loss,
            backbone=dict(
                type='ResNet3d',
                depth=18,
                pretrained=None,
                pretrained2d=False,
                base_channels=16,
                num_stages=3,
                out_indices=(2,),
                spatial_strides=(1, 2, 1),
                temporal_strides=(1, 1, 1),
                dilations=(1, 1, 1),
                inflate=(1, 1, 1),
                conv1_kernel=(3, 5, 5),
                with_pool2=False,
                zero_init_residual=False,
            ),
            cls_head=dict(
                type='I3DHead',
                num_classes=2,
                in_channels=64,
                dropout_ratio=0.0,
                average_clips='prob',
            ),
            data_preprocessor=dict(
                type='ActionDataPreprocessor',
                mean=[123.675] * 3,
                std=[58.395] * 3,
                format_shape='NCTHW',
            ),
        )
    )


def loss_config(condition: Condition) -> dict | None:
    if condition.target is None:
        return None
    return dict(
        type='GazeAlignmentLoss',
        metric=condition.metric,
        weight=condition.weight,
        target=condition.target,
    )


def train(settings: Settings, condition: Condition, seed: int) -> torch.nn.Module:
    """Train one network."""
    for seeding in (random.seed, np.random.seed, torch.manual_seed):
        seeding(seed)
    model = build_model(loss_config(condition))
    model.init_weights()
    model.train()
    cue = dict(
        seed=seed,
        mode=settings.cue,
        reliability=settings.reliability,
        size=settings.cue_size,
    )
    steps = pipeline(fixations_for(settings, condition, seed), cue, train=True)
    clips = KTHDataset(data_root=str(settings.data), subset='train', pipeline=steps)
    loader = DataLoader(
        clips,
        settings.batch_size,
        shuffle=True,
        drop_last=True,
        collate_fn=pseudo_collate,
        generator=torch.Generator().manual_seed(seed),
    )
    optimizer = torch.optim.AdamW(model.parameters(), settings.learning_rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=settings.epochs * len(loader)
    )
    wrapper = OptimWrapper(optimizer)
    for _ in range(settings.epochs):
        for batch in loader:
            losses = model.train_step(batch, wrapper)
            schedule.step()
    model.last_losses = {name: float(value.detach()) for name, value in losses.items()}
    return model


def evaluate(settings: Settings, model: torch.nn.Module, seed: int) -> dict[str, float]:
    """Accuracy and gaze scores on held-out clips, by cue; attention's scores without a cue.

    Without a cue the same maps are scored by the gaze of other persons' clips, too: what a map gets
    for where people mostly look.
    """
    found = {}
    own, others = settings.data / FIXATIONS, gaze_of_others(settings)
    for target, cues in (('class', CUES), ('attention', ('none',))):
        judge = build_model(dict(type='GazeAlignmentLoss', target=target))
        judge.load_state_dict(model.state_dict())
        judge.eval()
        for cue, fixations in [*((cue, own) for cue in cues), ('none', others)]:
            steps = pipeline(
                fixations, dict(seed=seed, mode=cue, size=settings.cue_size), train=False
            )
            clips = KTHDataset(
                data_root=str(settings.data),
                subset=settings.subset,
                pipeline=steps,
                test_mode=True,
            )
            metrics = [AccMetric(), GazeMetric()]
            for batch in DataLoader(clips, 16, collate_fn=pseudo_collate):
                with torch.no_grad():
                    samples = [sample.to_dict() for sample in judge.test_step(batch)]
                for metric in metrics:
                    metric.process(batch, samples)
            accuracy, gaze = (metric.evaluate(len(clips)) for metric in metrics)
            if fixations == others:
                found[f'nss_others/{target}/{cue}'] = float(gaze['gaze/nss'])
                found[f'nss_own/{target}/{cue}'] = (
                    found[f'nss/{target}/{cue}'] - found[f'nss_others/{target}/{cue}']
                )
                continue
            found[f'accuracy/{cue}'] = float(accuracy['acc/top1'])
            for name in ('nss', 'cc', 'undefined', 'constant'):
                found[f'{name}/{target}/{cue}'] = float(gaze[f'gaze/{name}'])
    return found


def mean_gaze(settings: Settings) -> dict[str, float]:
    """Scores on held-out clips of one map for all: where observers look on average in training.

    What a map gets that knows where persons mostly are and nothing of the clip.
    """
    known = _clips(settings, 'train', settings.data / FIXATIONS)
    maps = [clip['data_samples'].gaze_maps for clip in known]
    mean = torch.cat(maps).mean(dim=0).expand(1, *maps[0].shape)
    found = []
    for fixations in (settings.data / FIXATIONS, gaze_of_others(settings)):
        metric, new = GazeMetric(), _clips(settings, settings.subset, fixations)
        for clip in new:
            metric.process(None, [{**clip['data_samples'].to_dict(), 'saliency_maps': mean}])
        found.append(metric.evaluate(len(new)))
    own, others = found
    scores = {'nss': own['gaze/nss'], 'cc': own['gaze/cc']}
    scores['nss_own'] = own['gaze/nss'] - others['gaze/nss']
    return {
        f'{name}/{target}/none': float(score)
        for name, score in scores.items()
        for target in ('class', 'attention')
    }


def _clips(settings: Settings, subset: str, fixations: Path) -> KTHDataset:
    """Clips without a cue, as they are tested."""
    steps = pipeline(fixations, dict(seed=0, mode='none'), train=False)
    return KTHDataset(data_root=str(settings.data), subset=subset, pipeline=steps, test_mode=True)


def run(settings: Settings, name: str, condition: Condition, seed: int) -> dict:
    """One training and its evaluation, as a row for the file of runs."""
    begun = time.process_time()
    model = train(settings, condition, seed)
    trained = time.process_time() - begun
    row = {'condition': name, 'seed': seed, **dataclasses.asdict(condition)}
    row |= {**dataclasses.asdict(settings), 'data': settings.data.name}
    return (
        row
        | evaluate(settings, model, seed)
        | {
            'losses': model.last_losses,
            'train_cpu_s': round(trained, 1),
            'cpu_s': round(time.process_time() - begun, 1),
        }
    )
