"""From the maps of all clips and crops to one map per frame of the video."""

from collections.abc import Sequence

import numpy as np

from mmsal.attribution import Localization
from mmsal.datasets.video import VideoInfo
from mmsal.explain.pipeline import PreparedClip
from mmsal.heatmaps.geometry import to_source


def merge_clips(
    found: Sequence[Localization], clips: Sequence[PreparedClip], info: VideoInfo, space: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """One map per frame that any clip shows.

    Crops that overlap are averaged by how many cover a pixel, clips that share a frame by how often
    they show it.

    Returns:
        tuple: Frame numbers int64 [T], rising; maps float32 [T, H, W] in [0, 1]; pixels that every
        clip covers, bool [H, W], or None for all.

    Raises:
        ValueError: A pipeline whose geometry cannot be undone, or several crops in the input space.
    """
    frames = np.unique(np.concatenate([clip.frame_indices for clip in clips]))
    times_shown = np.zeros(len(frames), np.float32)
    values = seen = None
    for one, clip in zip(found, clips, strict=True):
        carried, covered = _of_clip(one, clip, info, space)
        if values is None:
            values = np.zeros((len(frames), *carried.shape[1:]), np.float32)
        if covered is not None:
            seen = covered if seen is None else seen & covered
        places = np.searchsorted(frames, clip.frame_indices)
        for place, frame_map in zip(places, carried, strict=True):
            values[place] += frame_map
        np.add.at(times_shown, places, 1)
    values /= times_shown[:, None, None]
    seen = None if seen is None or seen.all() else seen
    # Means of float32 numbers in [0, 1] may miss the bounds by a rounding error.
    return frames, values.clip(0, 1, out=values), seen


def merge_times(
    found: Sequence[Localization], clips: Sequence[PreparedClip], frames: np.ndarray
) -> np.ndarray | None:
    """Contribution of each frame, float64 [T], or None of a method that finds none.

    The mean over the crops and clips that show a frame.
    """
    if any(one.time is None for one in found):
        return None
    total, times_shown = np.zeros(len(frames)), np.zeros(len(frames))
    for one, clip in zip(found, clips, strict=True):
        by_crop = one.time.cpu().numpy().reshape(-1, len(clip.frame_indices))
        places = np.searchsorted(frames, clip.frame_indices)
        np.add.at(total, places, by_crop.mean(axis=0))
        np.add.at(times_shown, places, 1)
    return total / times_shown


def _of_clip(
    found: Localization, clip: PreparedClip, info: VideoInfo, space: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """Maps [F, H, W] of a clip's frames, and the pixels that its crops cover."""
    scaled = found.scaled.cpu().numpy()
    by_crop = scaled.reshape(-1, len(clip.frame_indices), *scaled.shape[-2:])  # [crops, F, h, w]
    if space == 'source':
        if clip.views is None:
            raise ValueError(f'maps cannot be carried to the source: {clip.no_views}')
        return to_source(by_crop, clip.views, (info.width, info.height))
    if len(by_crop) > 1:
        raise ValueError(
            f'the pipeline shows {len(by_crop)} crops of each frame, which only the source '
            'space can hold in one map'
        )
    return by_crop[0], None


def frames_between(
    frames: np.ndarray, ranges: Sequence[tuple[int, int] | None] | None
) -> np.ndarray:
    """Every frame from the first to the last sampled one, of each range apart.

    Args:
        frames (np.ndarray): int64 [T], sampled frames, rising.
        ranges (Sequence, optional): Zero-based, half open; None is the whole video.

    Returns:
        np.ndarray: int64, rising.
    """
    every = [frames]
    for bounds in ranges or [None]:
        inside = frames
        if bounds is not None:
            inside = frames[(frames >= bounds[0]) & (frames < bounds[1])]
        if len(inside):
            every.append(np.arange(inside[0], inside[-1] + 1))
    return np.unique(np.concatenate(every))


def interpolate_frames(values: np.ndarray, frames: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Maps of other frames, linear in frame number between the sampled frames around each.

    Args:
        values (np.ndarray): float32 [T, H, W].
        frames (np.ndarray): int64 [T], rising.
        wanted (np.ndarray): int64 [S], within the first and last of ``frames``.

    Returns:
        np.ndarray: float32 [S, H, W].
    """
    above = np.searchsorted(frames, wanted)
    result = np.empty((len(wanted), *values.shape[1:]), np.float32)
    for place, (frame, right) in enumerate(zip(wanted, above, strict=True)):
        if frames[right] == frame:
            result[place] = values[right]
            continue
        left = right - 1
        share = np.float32((frame - frames[left]) / (frames[right] - frames[left]))
        result[place] = (1 - share) * values[left] + share * values[right]
    return result
