"""What each frame of an explained video counts: a table, a strip of frames and a plot over time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mmsal.attribution.tsr.clip_tsr import TSR_OPTIONS
from mmsal.explain.export import Look
from mmsal.explain.one_video import Explanation
from mmsal.explain.prepare import Ranges
from mmsal.heatmaps import HeatmapSequence
from mmsal.visualization import evenly_spaced, overlay
from mmsal.visualization.frame_strip import Strip, write_strips
from mmsal.visualization.time_plot import TimeLine, write_time_plot

COLUMNS = 8  # frames in a row of a strip
MOST_RANGES = 20  # that are drawn; of more, some
BRIGHTEST = 0.999


def frame_table(maps: HeatmapSequence) -> pd.DataFrame:
    """What each frame of an explained video counts.

    Args:
        maps (HeatmapSequence): From :func:`mmsal.explain.explain_video`, with its ``meta``.

    Returns:
        pd.DataFrame: A row per map, with the columns

        - ``frame``: int64, zero-based, of the source video.
        - ``time_s``: float64, seconds from the video's first frame; NaN where unknown.
        - ``share``: float64, share of the frame's map in the sum of all maps; NaN if that is 0.
        - ``contribution``: float64, time contribution of temporal saliency rescaling, else NaN.
        - ``chosen``: boolean, whether the rescaling looked into the frame patch by patch; missing
          of other methods, and where a frame was seen by several clips or crops.
    """
    meta = maps.meta
    sums = maps.values.sum(axis=(1, 2), dtype=np.float64)
    total = sums.sum()
    table = pd.DataFrame(
        {
            'frame': maps.frame_indices,
            'time_s': np.nan if meta.get('timestamps') is None else meta['timestamps'],
            'share': sums / total if total else np.nan,
            'contribution': meta.get('time_contributions', np.nan),
        }
    )
    table['chosen'] = pd.array(_chosen(table, meta), 'boolean')
    return table


def _chosen(table: pd.DataFrame, meta: dict) -> np.ndarray | list[None]:
    """Frames whose contribution is above the quantile of their clip, see ``rescale``."""
    unknown = [None] * len(table)
    if 'time_contributions' not in meta:
        return unknown
    quantile = meta['method_options'].get('quantile', TSR_OPTIONS['quantile'])
    chosen, times_seen = np.zeros(len(table), bool), np.zeros(len(table), int)
    for clip in meta['clips']:
        inside = _within(table['frame'].to_numpy(), clip['frame_range'])
        if clip['views'] != 1 or clip['sampled_frames'] != inside.sum():
            return unknown
        times = table['contribution'][inside]
        chosen[inside] = times > np.quantile(times, quantile)
        times_seen += inside
    return chosen if (times_seen == 1).all() else unknown


def _within(frames: np.ndarray, bounds: Sequence[int] | None) -> np.ndarray:
    if bounds is None:
        return np.ones(len(frames), bool)
    return (frames >= bounds[0]) & (frames < bounds[1])


def draw_strip(
    explanation: Explanation,
    table: pd.DataFrame,
    frame_ranges: Ranges | None,
    path: str | Path,
    look: Look,
) -> None:
    """Draw a PNG: some frames over the same frames under their maps, range by range.

    They are evenly spaced, but the one that counts most is always among them.
    A few pixels of a gradient outshine all others, so the colours end at the quantile
    ``BRIGHTEST`` of a range's maps.

    Args:
        explanation (Explanation): With its frames.
        table (pd.DataFrame): From :func:`frame_table`.
        frame_ranges (Ranges, optional): Zero-based, half open, of the video.
        path (str | Path): The picture.
        look (Look): Weight and colours of the maps.
    """
    maps, strips = explanation.heatmaps, []
    for name, places in _by_range(table, frame_ranges):
        some = places[_with_peak(table.iloc[places])]
        frames, shown = explanation.frames[some], table.iloc[some]
        of_range = maps.values[places]
        brightest = np.quantile(of_range, BRIGHTEST) or of_range.max() or 1
        values = np.minimum(maps.values[some] / brightest, 1)
        drawn = overlay(frames, values, look.alpha, look.colormap, maps.seen)
        numbers = [f'frame {frame}' for frame in shown['frame']]
        strips.append(Strip(name, frames, drawn, numbers, _counts(shown)))
    write_strips(strips, path, _title(explanation))


def draw_times(
    explanation: Explanation, table: pd.DataFrame, frame_ranges: Ranges | None, path: str | Path
) -> None:
    """Draw a PNG of the time contributions, or of the shares for methods without such.

    Args:
        explanation (Explanation): For the title.
        table (pd.DataFrame): From :func:`frame_table`.
        frame_ranges (Ranges, optional): Zero-based, half open, of the video; a panel each.
        path (str | Path): The picture.
    """
    column, timed = _what_counts(table), table['time_s'].notna().all()
    known = table['chosen'].notna().all()
    lines = []
    for name, places in _by_range(table, frame_ranges):
        part = table.iloc[places]
        lines.append(
            TimeLine(
                name,
                part['frame'].to_numpy(),
                part[column].to_numpy(),
                part['time_s'].to_numpy() if timed else None,
                part['chosen'].to_numpy(bool) if known else None,
            )
        )
    title = _title(explanation)
    if column == 'contribution':
        write_time_plot(lines, path, title, 'time contribution', chosen='looked into by patches')
    else:
        even = ('even share', 1 / len(table))
        write_time_plot(lines, path, title, 'share of the saliency', even)


def _by_range(table: pd.DataFrame, frame_ranges: Ranges | None) -> list[tuple[str, np.ndarray]]:
    """Name and rows of the table of each range, of many some, or of the whole video."""
    frames, found = table['frame'].to_numpy(), []
    ranges = list(frame_ranges or [None])
    for bounds in (ranges[i] for i in evenly_spaced(len(ranges), MOST_RANGES)):
        places = np.flatnonzero(_within(frames, bounds))
        found.append((f'frames {frames[places[0]]} to {frames[places[-1]]}', places))
    return found


def _what_counts(table: pd.DataFrame) -> str:
    """The column that is drawn."""
    return 'contribution' if table['contribution'].notna().all() else 'share'


def _with_peak(table: pd.DataFrame) -> np.ndarray:
    """Evenly spaced rows, the nearest of them being moved to the largest value."""
    some = evenly_spaced(len(table), COLUMNS)
    values = table[_what_counts(table)].to_numpy()
    if not np.isnan(values).any():
        peak = values.argmax()
        some[np.abs(some - peak).argmin()] = peak
    return some


def _counts(shown: pd.DataFrame) -> list[str]:
    """What stands below the maps of a strip."""
    if _what_counts(shown) == 'contribution':
        return [f'time contribution {value:.2g}' for value in shown['contribution']]
    return [f'share {value:.3f}' for value in shown['share']]


def _title(explanation: Explanation) -> str:
    meta, best = explanation.heatmaps.meta, explanation.prediction
    return (
        f'{Path(meta["video"]).name}: {_method(meta)}, predicted {best.label} ({best.score:.2f}), '
        f'explained {meta["target_label"]}'
    )


def _method(meta: dict) -> str:
    of = meta['method_options'].get('of')
    return f'{meta["method"]} of {of}' if of else meta['method']
