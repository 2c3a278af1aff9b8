"""Cut a small SYNTHETIC example from what tools/demo.sh leaves: frames, maps and gaze of a moment.

python saliency_metrics_comparison/example/cut_example.py DEMO_DIR OUT_DIR
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'tools'))

from command_line import Parser, run

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mmsal.heatmaps import HeatmapSequence

ACTIONS = ('walking', 'running')
METHODS = {'gradcam': 'heatmaps', 'layercam': 'layercam/heatmaps'}  # folders of the demo
# What a sidecar may tell on any machine; it also names files of the one that made it.
PORTABLE = (
    'fps', 'method', 'normalisation', 'predictions', 'source_size', 'space', 'target_class',
    'target_label', 'target_layers', 'versions',
)  # fmt: skip


class Moment(NamedTuple):
    """Some consecutive frames of a video.

    Attributes:
        first: Zero-based number of the first frame.
        starts, ends: float64 [N], seconds from the video's first frame, when each is shown.
    """

    first: int
    starts: np.ndarray
    ends: np.ndarray

    @property
    def frames(self) -> range:
        """Their numbers in the video."""
        return range(self.first, self.first + len(self.starts))


def parse_args() -> argparse.Namespace:
    parser = Parser(
        description='Cut some frames of one pass of every person and action from the folder of '
        'tools/demo.sh: video, heatmaps of two methods, fixations. All of it is SYNTHETIC.'
    )
    add = parser.add_argument
    add('demo_dir', help='folder that tools/demo.sh has written heatmaps to')
    add('out_dir', help='gets videos/, heatmaps/METHOD/ and fixations.csv')
    add('--persons', nargs='+', type=int, default=[2, 3, 5], metavar='N', help='persons of the '
        'test set (default: 2 3 5)')  # fmt: skip
    add('--frames', type=int, default=24, metavar='N', help='frames per clip, around those of its '
        'first pass that have maps (default: 24)')  # fmt: skip
    add('--decimals', type=int, default=2, help='digits of the heatmaps (default: 2)')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # Imported after the arguments are read, so that --help answers at once.
    import pandas as pd

    from mmsal.gaze import read_fixation_table, write_fixation_table

    demo, out = Path(args.demo_dir), Path(args.out_dir)
    fixations = read_fixation_table(demo / 'synthetic_kth' / 'fixations.csv')
    names = [f'person{person:02d}_{action}_d1' for person in args.persons for action in ACTIONS]
    cut = [cut_clip(name, demo, out, fixations, args.frames, args.decimals) for name in names]
    write_fixation_table(pd.concat(cut, ignore_index=True), out / 'fixations.csv')
    print(f'{len(names)} SYNTHETIC clips of {args.frames} frames: {out}')


def cut_clip(
    name: str, demo: Path, out: Path, fixations: pd.DataFrame, length: int, decimals: int
) -> pd.DataFrame:
    """Write video and heatmaps of one clip.

    Args:
        name: Such as ``person02_walking_d1``.
        demo, out: Folders.
        fixations: Fixation table of the demo.
        length: Frames to cut.
        decimals: Digits of the heatmaps, 1 to 9.

    Returns:
        Its fixations, as :func:`cut_fixations` gives them.

    Raises:
        ValueError: The video is shorter, no frame has all maps, or a file cannot be read.
        OSError: A file is absent.
    """
    from mmsal.datasets.video import probe_video, read_frames
    from mmsal.gaze import frame_intervals
    from mmsal.heatmaps import read_heatmaps, write_heatmaps
    from mmsal.visualization import write_video

    source = demo / 'synthetic_kth' / f'{name}_uncomp.avi'
    info = probe_video(source)
    maps = {
        method: read_heatmaps(demo / folder / f'{name}_uncomp.txt')
        for method, folder in METHODS.items()
    }
    mapped = [one.frame_indices for one in maps.values()]
    first = around_maps(mapped, length, info.frames, name)
    starts, ends = frame_intervals(info.timestamps, fps=info.fps)
    moment = Moment(first, starts[first : first + length], ends[first : first + length])
    write_video(read_frames(source, moment.frames), out / 'videos' / f'{name}.mp4', info.fps)
    for method, sequence in maps.items():
        folder = out / 'heatmaps' / method
        folder.mkdir(parents=True, exist_ok=True)
        cut = cut_maps(sequence, moment, f'{name}.mp4', source.name)
        write_heatmaps(cut, folder / f'{name}.txt.gz', decimals)
    own = fixations[fixations['video'] == source.name].assign(video=f'{name}.mp4')
    return cut_fixations(own, moment)


def around_maps(mapped: list[np.ndarray], length: int, total: int, name: str) -> int:
    """First of ``length`` frames around the first run of frames that all maps have.

    Args:
        mapped: Frame numbers of each method's maps.
        length: Frames to cut; of a longer run its middle is taken.
        total: Frames of the video.
        name: For messages.

    Raises:
        ValueError: The video has fewer frames, or no frame has all maps.
    """
    from functools import reduce

    import numpy as np

    if not 0 < length <= total:
        raise ValueError(f'{name}: expected 1 to {total} frames to cut, got {length}')
    frames = reduce(np.intersect1d, mapped)
    if not len(frames):
        raise ValueError(f'{name}: no frame has maps of all methods')
    run = np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1)[0]
    first = int(run[0]) + (len(run) - length) // 2
    return min(max(first, 0), total - length)


def cut_maps(sequence: HeatmapSequence, moment: Moment, video: str, source: str) -> HeatmapSequence:
    """The maps of a moment, their frames and times counted from its first frame.

    Args:
        sequence: Maps of the whole video, of some frames of the moment at least.
        moment: What to keep.
        video: Name of the cut video.
        source: Name of the whole one.

    Returns:
        The maps, with what of ``meta`` holds on any machine.
    """
    import numpy as np

    from mmsal.heatmaps import HeatmapSequence

    kept = np.isin(sequence.frame_indices, moment.frames)
    frames = sequence.frame_indices[kept] - moment.first
    meta = {name: sequence.meta[name] for name in PORTABLE if name in sequence.meta}
    looked_at = sequence.meta.get('seen_frames')
    if looked_at is not None:
        looked_at = [one - moment.first for one in looked_at if one in moment.frames]
    times = moment.starts - moment.starts[0]
    meta |= {
        'video': video, 'num_frames': len(moment.frames), 'seen_frames': looked_at,
        'timestamps': [round(float(time), 6) for time in times[frames]], 'synthetic': True,
        'cut_from': {'video': source, 'frames': [moment.first, moment.frames[-1]]},
    }  # fmt: skip
    if sequence.meta.get('config'):
        meta['config'] = Path(sequence.meta['config']).name
    return HeatmapSequence(sequence.values[kept], frames, meta, sequence.seen)


def cut_fixations(fixations: pd.DataFrame, moment: Moment) -> pd.DataFrame:
    """The fixations that a moment shows, in seconds from its start, cut off at its ends.

    Args:
        fixations: Fixation table of one video.
        moment: What to keep.

    Returns:
        Fixation table in the order of ``fixations``: each frame shows the fixations that it showed
        before.
    """
    import numpy as np

    from mmsal.gaze import fixations_in_intervals

    _, rows = fixations_in_intervals(fixations, moment.starts, moment.ends)
    shown = fixations.iloc[np.unique(rows)]
    begin, end = moment.starts[0], moment.ends[-1]
    return shown.assign(
        start_s=(shown['start_s'].clip(lower=begin) - begin).round(6),
        end_s=(shown['end_s'].clip(upper=end) - begin).round(6),
    )


if __name__ == '__main__':
    run(main)
