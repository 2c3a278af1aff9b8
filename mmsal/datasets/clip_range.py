"""Sampling frames from a part of a video."""

import warnings

from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

__all__ = ['TOLERATED_OVERSHOOT', 'ClipRange', 'fit_range']

# Lists made by hand end a few frames late here and there. More than this, and the list probably
# belongs to another version of the video (a trimmed one, say).
TOLERATED_OVERSHOOT = 10


def fit_range(clip_range: tuple[int, int], total_frames: int, video: str) -> tuple[int, int]:
    """Clamp a frame range to the length of its video.

    Args:
        clip_range: Start and end, zero-based and half-open.
        total_frames: Number of frames of the video.
        video: Name for messages.

    Returns:
        The range ``(start, end)`` with ``0 <= start < end <= total_frames``.

    Raises:
        ValueError: The range is empty or negative, or begins after the last frame.
    """
    start, end = (int(bound) for bound in clip_range)
    told = f'{video}: frames {start + 1}-{end}'  # as lists count them: from 1, ends included
    if not 0 <= start < min(end, total_frames):
        raise ValueError(
            f'{told} have no frame in common with the {total_frames} frames of the video'
        )
    if end > total_frames + TOLERATED_OVERSHOOT:
        warnings.warn(
            f'{told} end {end - total_frames} frames after the video ({total_frames} frames); do '
            'they belong to this version of it?',
            stacklevel=2,
        )
    return start, min(end, total_frames)


@TRANSFORMS.register_module()
class ClipRange(BaseTransform):
    """Let the samplers that follow see only a part of the video.

    Place it after ``DecordInit``, ``PyAVInit`` or ``OpenCVInit`` (with extracted frames: first)
    and before ``SampleFrames`` or any other of MMAction2's samplers. These choose frames between
    0 and ``total_frames``, wrap or repeat those beyond the end, and only then add
    ``start_index``; so with the two values changed here, the frames of short parts loop inside
    the part, and the decoders get frame numbers of the whole video.

    A sample without ``clip_range`` passes unchanged.

    A range that ends after the video is cut at the video's end: lists made by hand, KTH's among
    them, overshoot by a few frames in places. Beyond ten frames a warning is given.

    Required Keys:

    - total_frames
    - clip_range (optional): ``(start, end)``, zero-based and half-open
    - start_index (optional): number of the first frame, 0 for videos

    Modified Keys:

    - total_frames: number of frames of the part
    - start_index: number of the part's first frame
    - clip_range: as used, after cutting

    Raises:
        ValueError: Nothing of the range lies in the video, or the transform stands in the wrong
            place of the pipeline.
    """

    def transform(self, results: dict) -> dict:
        """Apply the range, if there is one.

        Args:
            results: The sample.

        Returns:
            The same dict.
        """
        if results.get('clip_range') is None:
            return results
        if 'total_frames' not in results or 'frame_inds' in results:
            raise ValueError(
                'ClipRange must stand after DecordInit, PyAVInit or OpenCVInit and before '
                'SampleFrames in the pipeline'
            )
        video = results.get('filename') or results.get('frame_dir') or 'video'
        start, end = fit_range(results['clip_range'], results['total_frames'], str(video))
        results['clip_range'] = (start, end)
        results['total_frames'] = end - start
        results['start_index'] = results.get('start_index', 0) + start
        return results

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}()'
