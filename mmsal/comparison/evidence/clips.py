"""The clips of a folder of SYNTHETIC videos whose evidence is known."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmsal.datasets import KTHDataset
from mmsal.datasets.kth_sequences import parse_name
from mmsal.datasets.synthetic.make import SEQUENCES, SETTINGS, TRUTH


@dataclass(frozen=True)
class KnownClip:
    """One listed pass of a person through the picture.

    Attributes:
        video: The file.
        frames: Zero-based, half open.
        label: The action it shows.
        truth: The file of its video's masks.
    """

    video: Path
    frames: tuple[int, int]
    label: str
    truth: Path

    @property
    def range(self) -> str:
        """Its frames as the list has them: counted from 1, ends included."""
        return f'{self.frames[0] + 1}-{self.frames[1]}'

    @property
    def name(self) -> str:
        """``person02_running_d1_13-43``."""
        return f'{self.truth.stem}_{self.range}'


def list_known_clips(
    folder: str | Path, subset: str = 'test', limit: int | None = None
) -> list[KnownClip]:
    """List the passes of a folder of synthetic clips.

    Args:
        folder (str | Path): As :func:`mmsal.datasets.synthetic.make_clips` makes it.
        subset (str): ``'train'``, ``'val'``, ``'test'`` (KTH's split by person) or ``'all'``.
        limit (int, optional): At most so many, evenly spaced over the list. None takes all.

    Raises:
        ValueError: A folder without truth, no clip in the subset, or a limit below 1.
    """
    folder = Path(folder)
    for name in (SETTINGS, SEQUENCES, TRUTH):
        if not (folder / name).exists():
            raise ValueError(
                f'{folder} holds no synthetic clips with known evidence (no {name}): make some '
                'with tools/data/synthetic/make_clips.py'
            )
    if limit is not None and limit < 1:
        raise ValueError(f'expected a limit of at least 1 clip, got {limit}')
    dataset = KTHDataset(data_root=str(folder), subset=subset)
    clips = [_known(folder, dataset.get_data_info(place)) for place in range(len(dataset))]
    if limit is None or limit >= len(clips):
        return clips
    # Not the first ones: these are of one person.
    return [clips[place] for place in np.linspace(0, len(clips) - 1, limit).round().astype(int)]


def _known(folder: Path, sample: dict) -> KnownClip:
    clip = sample['video_id'].partition('#')[0]
    truth = folder / TRUTH / f'{clip}.npz'
    if not truth.is_file():
        raise ValueError(f'{folder} holds no truth of {clip}: make its clips again')
    frames = tuple(int(bound) for bound in sample['clip_range'])
    return KnownClip(Path(sample['filename']), frames, parse_name(clip).action, truth)
