"""A contact sheet of a folder of heatmap files."""

from pathlib import Path

from mmsal.datasets.video import read_frames
from mmsal.heatmaps import HeatmapSequence, read_heatmaps
from mmsal.visualization.contact_sheet import Row, evenly_spaced, write_contact_sheet
from mmsal.visualization.overlay import overlay


def draw_heatmap_folder(
    folder: str | Path,
    out: str | Path,
    videos: int = 8,
    frames: int = 8,
    alpha: float = 0.5,
    title: str = '',
) -> int:
    """Draw frames of some of a folder's videos under their heatmaps.

    Args:
        folder: Heatmap files with sidecars, in the source video's pixels.
        out: PNG to write.
        videos (int): At most so many, spread over the folder.
        frames (int): At most so many of each, spread over its maps.
        alpha (float): Weight of the heatmap, 0 to 1.
        title (str): Line above the rows.

    Returns:
        int: Videos drawn.

    Raises:
        ValueError: The folder holds no heatmaps, or one that cannot be laid over its video.
    """
    folder = Path(folder)
    paths = sorted(
        path
        for path in folder.rglob('*')
        if path.name.endswith(('.txt', '.txt.gz', '.npz')) and not path.name.startswith('.')
    )
    if not paths:
        raise ValueError(f'{folder} holds no heatmap files')
    rows = []
    for index in evenly_spaced(len(paths), videos):
        rows.append(_row(read_heatmaps(paths[index]), paths[index], frames, alpha))
    write_contact_sheet(rows, out, title)
    return len(rows)


def _row(maps: HeatmapSequence, path: Path, frames: int, alpha: float) -> Row:
    meta = maps.meta
    video = meta.get('video')
    if meta.get('space') != 'source' or video is None:
        raise ValueError(f'{path} cannot be drawn: its sidecar names no video in source pixels')
    if not Path(video).is_file():
        kind = 'is a folder of frames' if Path(video).is_dir() else 'is not there'
        raise ValueError(f'{path} cannot be drawn: its video {video} {kind}, seen from here')
    chosen = evenly_spaced(len(maps.frame_indices), frames)
    indices = maps.frame_indices[chosen]
    pictures = overlay(
        read_frames(meta['video'], indices), maps.values[chosen], alpha, seen=maps.seen
    )
    caption = f'{Path(meta["video"]).name}: {meta.get("method", "heatmaps")}'
    if meta.get('predictions'):  # not of optical flow
        best = meta['predictions'][0]
        caption += (
            f', predicted {best["label"]} ({best["score"]:.2f}), explained {meta["target_label"]}'
        )
    return Row(caption, pictures, [f'frame {index}' for index in indices])
