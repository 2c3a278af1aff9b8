"""Do fixations fit the videos that they are said to be of? Other units show here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mmsal.datasets.gaze_maps import LoadGazeMaps
from mmsal.datasets.video import VideoError, probe_video

LOOKED_AT = 20  # videos, evenly chosen from a list
EXPECTED = 0.9  # of the fixations; less in the picture or in the time is worth a warning
USUAL_SIGMA = (0.003, 0.2)  # of the width; one degree is 1 to 10 % of most videos


@dataclass(frozen=True)
class FitOfGaze:
    """How much of the gaze on some videos lies in them.

    Attributes:
        videos: That were looked at.
        fixations: On all of them.
        in_picture, in_time: How many of these lie within the picture, and begin before the video
            ends and end after it begins.
        largest: The largest of all coordinates, pixels.
        sigma: Of LoadGazeMaps, pixels.
        width: The median of the videos' widths, pixels.
    """

    videos: int
    fixations: int
    in_picture: int
    in_time: int
    largest: float
    sigma: float
    width: float

    @property
    def doubtful(self) -> bool:
        """Whether the numbers are worth a warning."""
        low, high = USUAL_SIGMA
        least = min(self.in_picture, self.in_time) / self.fixations
        return least < EXPECTED or not low <= self.sigma / self.width <= high

    def __str__(self) -> str:
        return (
            f'gaze: of {self.fixations} fixations on {self.videos} videos that were looked at, '
            f'{self.in_picture / self.fixations:.0%} lie in the picture and '
            f'{self.in_time / self.fixations:.0%} in the time of their video; sigma of '
            f'{self.sigma:g} pixels is {self.sigma / self.width:.1%} of their width'
        )

    def refuse_others(self, name: str, table: str | Path) -> None:
        """Refuse gaze most of which is elsewhere, or that is in shares of the picture.

        Args:
            name: Of the list, for the message.
            table: The fixation table.

        Raises:
            ValueError: So it is.
        """
        if self.largest <= 1:
            fault = 'no position is above 1, as if in shares of the picture'
        elif 2 * min(self.in_picture, self.in_time) < self.fixations:
            fault = str(self).removeprefix('gaze: ').partition(';')[0]
        else:
            return
        raise ValueError(
            f'gaze: {table} does not fit the videos of the {name} list: {fault}; expected x_px and '
            'y_px in pixels of the source video, and seconds from its first frame'
        )


def fit_of_gaze(loading: LoadGazeMaps, videos: Sequence[str]) -> FitOfGaze | None:
    """Look at some of the videos that have gaze.

    Args:
        loading: What loads it.
        videos: Files, or folders of frames; what cannot be read is left out.

    Returns:
        How it fits; None if nothing could be looked at.
    """
    chosen = np.linspace(0, len(videos) - 1, min(LOOKED_AT, len(videos))).astype(int)
    counts, largest, widths = np.zeros(3, np.int64), 0.0, []
    for place in chosen:
        gaze = loading.fixations_of(videos[place])
        found = _look_at(Path(videos[place]), loading.fps)
        if found is None or not len(gaze):
            continue
        width, height, seconds = found
        start, end, x, y = gaze.T
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        shown = (start < seconds) & (end > 0)
        counts += (len(gaze), inside.sum(), shown.sum())
        largest = max(largest, x.max(), y.max())
        widths.append(width)
    if not widths:
        return None
    return FitOfGaze(
        len(widths), *counts.tolist(), float(largest), loading.sigma, float(np.median(widths))
    )


def _look_at(path: Path, fps: float | None) -> tuple[int, int, float] | None:
    """Width, height and seconds of a video; None if it cannot be told."""
    if path.is_dir():
        pictures = sorted(one for one in path.iterdir() if one.is_file())
        picture = cv2.imread(str(pictures[0])) if pictures else None
        if picture is None or fps is None:
            return None
        return picture.shape[1], picture.shape[0], len(pictures) / fps
    try:
        info = probe_video(path)
    except VideoError:  # the pipeline will say so when the clip comes
        return None
    return info.width, info.height, info.frames / info.fps
