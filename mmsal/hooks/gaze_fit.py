"""Do fixations fit the videos that they are said to be of? Other units show here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmsal.datasets.gaze_maps import LoadGazeMaps
from mmsal.datasets.video import VideoError, probe_video

LOOKED_AT = 20  # videos, evenly chosen from a list


@dataclass(frozen=True)
class FitOfGaze:
    """How much of the gaze on some videos lies in them.

    Attributes:
        videos: That were looked at.
        fixations: On all of them.
        in_picture, in_time: How many of these lie within the picture, and begin before the video
            ends and end after it begins.
        largest: The largest of all coordinates, pixels.
    """

    videos: int
    fixations: int
    in_picture: int
    in_time: int
    largest: float

    def __str__(self) -> str:
        return (
            f'of {self.fixations} fixations on {self.videos} videos that were looked at, '
            f'{self.in_picture / self.fixations:.0%} lie in the picture and '
            f'{self.in_time / self.fixations:.0%} in the time of their video'
        )

    def refuse_others(self, name: str, table: str | Path) -> None:
        """Refuse gaze most of which is elsewhere, or that is in shares of the picture.

        Args:
            name: Of the list, for the message.
            table: The fixation table.

        Raises:
            ValueError: So it is.
        """
        if 2 * min(self.in_picture, self.in_time) < self.fixations or self.largest <= 1:
            raise ValueError(
                f'gaze: {table} does not fit the videos of the {name} list: {self}; expected x_px '
                'and y_px in pixels of the source video, and seconds from its first frame'
            )


def fit_of_gaze(loading: LoadGazeMaps, videos: Sequence[str]) -> FitOfGaze | None:
    """Look at some of the videos that have gaze.

    Args:
        loading: What loads it.
        videos: Files; folders of frames and files that cannot be read are left out.

    Returns:
        How it fits; None if nothing could be looked at.
    """
    chosen = np.linspace(0, len(videos) - 1, min(LOOKED_AT, len(videos))).astype(int)
    counts, largest = np.zeros(4, np.int64), 0.0
    for place in chosen:
        path = Path(videos[place])
        try:
            info = probe_video(path) if path.is_file() else None
        except VideoError:  # the pipeline will say so when the clip comes
            info = None
        gaze = loading.fixations_of(videos[place])
        if info is None or not len(gaze):
            continue
        start, end, x, y = gaze.T
        inside = (x >= 0) & (x < info.width) & (y >= 0) & (y < info.height)
        shown = (start < info.frames / info.fps) & (end > 0)
        counts += (1, len(gaze), inside.sum(), shown.sum())
        largest = max(largest, x.max(), y.max())
    return FitOfGaze(*counts.tolist(), largest) if counts[0] else None
