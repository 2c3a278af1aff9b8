"""A planted shortcut: a cue in the background of synthetic clips that gives the class away.

After the idea of Geirhos et al. (Nature Machine Intelligence 2, 2020): a network may learn a cue
that merely goes with the class in training. Where the cue is known and can be taken away, accuracy
without it says whether the network has learned the action instead.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from mmsal.datasets.kth_sequences import clip_id

from .files import read_truth
from .people import stream

__all__ = ['MODES', 'PATTERNS', 'PlantShortcut', 'cue_pattern']

# One per class; each looks the same in a mirror, so that flips do not change what a cue says.
PATTERNS = ('rows', 'columns', 'checks', 'rings')
MODES = ('class', 'other', 'random', 'none')
DARK, LIGHT = 40, 215  # grey levels of the cue
MARGIN = 4  # pixels between the cue and the person, where there is room


@TRANSFORMS.register_module()
class PlantShortcut(BaseTransform):
    """Paint a small patterned patch into the background of a SYNTHETIC clip.

    The pattern may tell the class. The place is drawn per clip, evenly over the picture, and is the
    same in all frames of a sample: the first of a random order of places (the same for every sample
    of a clip) at which the person comes nowhere near the patch in any sampled frame. If there is
    none, the place with the fewest of the person's pixels is taken and the patch lies behind the
    person. So the place tells nothing, neither the class nor where observers look; no pixel of the
    person is painted over.

    Place it after the decoding step and before anything that moves pixels. The truth masks of the
    clips are read (:func:`mmsal.datasets.synthetic.read_truth`), from ``truth/`` beside the videos.

    Required Keys:

    - imgs: decoded frames, uint8 [H, W] or [H, W, 3], of the size of the truth masks
    - frame_inds: zero-based numbers of the frames in the video
    - filename
    - label
    - video_id (optional): what tells the clips of one file apart; else the file's name is taken

    Modified Keys:

    - imgs: new arrays; those that came in are left as they are

    Added Keys:

    - shortcut: the class whose pattern was painted, -1 for none

    Args:
        seed (int): Of all draws, not negative; with the clip's ``video_id`` it decides everything.
        mode (str): ``'class'`` paints the pattern of the clip's class, ``'other'`` that of another
            class, ``'random'`` that of any, ``'none'`` paints nothing. Defaults to ``'class'``.
        reliability (float): With mode ``'class'``, the share of clips, 0 to 1, whose cue is right;
            the others get another class's. Drawn clip by clip. Defaults to 1.
        num_classes (int): 2 to 4. Defaults to 2.
        size (int): Height and width of the patch in pixels. Defaults to 16.

    Raises:
        ValueError: An argument is out of its range, or a sample is none of a synthetic clip.
        FileNotFoundError: There are no truth masks beside the video.
    """

    def __init__(
        self,
        seed: int,
        mode: str = 'class',
        reliability: float = 1.0,
        num_classes: int = 2,
        size: int = 16,
    ) -> None:
        if mode not in MODES:
            raise ValueError(f'PlantShortcut: expected a mode of {MODES}, got {mode!r}')
        if seed < 0:
            raise ValueError(f'PlantShortcut: expected a seed of 0 or more, got {seed}')
        if not 0 <= reliability <= 1:
            raise ValueError(f'PlantShortcut: expected a reliability of 0 to 1, got {reliability}')
        if not 2 <= num_classes <= len(PATTERNS):
            raise ValueError(
                f'PlantShortcut: expected 2 to {len(PATTERNS)} classes, got {num_classes}'
            )
        if not 4 <= size <= 100:
            raise ValueError(f'PlantShortcut: expected a size of 4 to 100 pixels, got {size}')
        self.seed, self.mode, self.reliability = seed, mode, reliability
        self.num_classes, self.size = num_classes, size

    def transform(self, results: dict) -> dict:
        """Paint the cue into the frames.

        Args:
            results: The sample.

        Returns:
            The same dict.
        """
        clip = str(results.get('video_id') or Path(results['filename']).stem)
        results['shortcut'] = shown = self._choose(clip, int(results['label']))
        if shown < 0:
            return results
        bodies = _bodies(results['filename'], results['frame_inds'], results['imgs'])
        top, left = self._place(clip, bodies.any(axis=0))
        patch = np.s_[top : top + self.size, left : left + self.size]
        pattern = cue_pattern(shown, self.size)
        painted = []
        for image, body in zip(results['imgs'], bodies, strict=True):
            image = image.copy()
            image[patch][~body[patch]] = pattern[~body[patch]].reshape(-1, *[1] * (image.ndim - 2))
            painted.append(image)
        results['imgs'] = painted
        return results

    def _choose(self, clip: str, label: int) -> int:
        """Class whose pattern is painted, or -1."""
        if not 0 <= label < self.num_classes:
            raise ValueError(
                f'PlantShortcut: {clip}: expected a label of 0 to {self.num_classes - 1}, got '
                f'{label}'
            )
        if self.mode == 'none':
            return -1
        rng = stream(self.seed, 'shortcut class', zlib.crc32(clip.encode()))
        right = rng.random() < self.reliability
        another = (label + rng.integers(1, self.num_classes)) % self.num_classes
        anyone = rng.integers(self.num_classes)
        if self.mode == 'class':
            return label if right else int(another)
        return int(another if self.mode == 'other' else anyone)

    def _place(self, clip: str, body: np.ndarray) -> tuple[int, int]:
        """Row and column of the patch's top left pixel, away from the pixels [H, W] in `body`."""
        if self.size > min(body.shape):
            raise ValueError(
                f'PlantShortcut: {clip}: a patch of {self.size} pixels does not fit into a '
                f'picture of {body.shape[1]} x {body.shape[0]}'
            )
        rng = stream(self.seed, 'shortcut place', zlib.crc32(clip.encode()))
        covered = _sums(np.pad(body, MARGIN), self.size + 2 * MARGIN)
        order = rng.permutation(covered.size)
        chosen = order[np.argmin(covered.ravel()[order])]  # the first of those with the fewest
        return tuple(int(n) for n in np.unravel_index(chosen, covered.shape))

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(seed={self.seed}, mode={self.mode!r}, '
            f'reliability={self.reliability}, num_classes={self.num_classes}, size={self.size})'
        )


def cue_pattern(label: int, size: int) -> np.ndarray:
    """The cue of a class: light and dark bars, checks or rings, a quarter of its size wide.

    Args:
        label: Number of the class, 0 to 3, for one of ``PATTERNS``.
        size: Height and width in pixels.

    Returns:
        ``[size, size]`` uint8 grey levels; the same in a mirror.
    """
    bar = max(size // 4, 1)
    # Counted from the middle, so that left and right are alike.
    away = np.abs(np.arange(size) - (size - 1) / 2)
    rows, columns = np.meshgrid(away // bar, away // bar, indexing='ij')
    number = (rows, columns, rows + columns, np.maximum(rows, columns))[label]
    return np.where(number % 2 == 0, LIGHT, DARK).astype(np.uint8)


def _sums(mask: np.ndarray, size: int) -> np.ndarray:
    """Number of True in every window of `size` x `size`: [H, W] -> [H - size + 1, W - size + 1]."""
    table = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), np.int64)
    table[1:, 1:] = mask.cumsum(axis=0).cumsum(axis=1)
    above, below = table[:-size], table[size:]
    return below[:, size:] - below[:, :-size] - above[:, size:] + above[:, :-size]


def _bodies(filename: str, frames: np.ndarray, images: list[np.ndarray]) -> np.ndarray:
    """The person's pixels in the sampled frames, bool [T, H, W]."""
    path = Path(filename)
    shape, packed = _packed_body(path.parent / 'truth' / f'{clip_id(path.stem)}.npz')
    frames = np.asarray(frames).ravel()
    if len(frames) != len(images) or images[0].shape[:2] != shape[1:]:
        raise ValueError(
            f'PlantShortcut: {path.name}: expected frames as decoded, {shape[2]} x {shape[1]} '
            f'pixels, one per number in frame_inds; place it right after the decoding step'
        )
    if frames.max() >= shape[0]:
        raise ValueError(
            f'PlantShortcut: {path.name}: frame {frames.max()} was sampled, but its truth has '
            f'{shape[0]} frames'
        )
    return np.unpackbits(packed[frames], axis=2, count=shape[2]).astype(bool)


@lru_cache(maxsize=1024)
def _packed_body(path: Path) -> tuple[tuple[int, ...], np.ndarray]:
    """Shape of a clip's truth, and its body mask with eight columns to a byte (0.7 MB)."""
    body = read_truth(path).body
    return body.shape, np.packbits(body, axis=2)
