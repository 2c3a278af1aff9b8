"""A folder of synthetic clips in KTH's form, made in steps that can be interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path

import pandas as pd

from mmsal.datasets.kth_sequences import parse_name, write_sequences
from mmsal.gaze.table import write_fixation_table
from mmsal.version import __version__

from .clip import ClipName, Plan, check_clip, draw_clip, plan_clip
from .files import Truth, read_truth, replace_with, write_truth, write_video
from .gait import ACTIONS
from .observers import simulate_fixations
from .passes import list_passes

# Counted up whenever the same settings would give other pixels, masks or fixations.
RECIPE = 1

SETTINGS, SEQUENCES, FIXATIONS, README = (
    'clips.json',
    '00sequences.txt',
    'fixations.csv',
    'README.txt',
)
TRUTH = 'truth'

ABOUT = """\
These clips are SYNTHETIC. Nobody was filmed and nobody's eyes were recorded.

Made by mmsal {version} (mmsal.datasets.synthetic, recipe {recipe}) with seed {seed},
{passes} passes per file, evidence '{evidence}' and {observers} simulated observers.
File names, picture size (160 x 120), frame rate (25 per second) and the list 00sequences.txt
follow the KTH action database, of which nothing is contained.

personNN_ACTION_dS_uncomp.avi   a drawn person crosses the picture to and fro before a still camera
00sequences.txt                 frames of every pass, counted from 1: those in which the person is
                                visible, without a foot that shows before the person follows; with
                                evidence 'legs', those in which the hips are in the picture
truth/personNN_ACTION_dS.npz    pixels of the person and of the legs in every frame
                                (mmsal.datasets.synthetic.read_truth)
fixations.csv                   fixations of simulated observers: pixels of the video, origin top
                                left, seconds from the video's first frame; for the model see
                                mmsal/datasets/synthetic/observers.py
clips.json                      the settings

evidence 'full': legs, arms, lean, bob and speed all differ between walking and running.
evidence 'legs': a person's walking and running clips of one scenario differ in the legs alone.
Outside the pixels that a leg covers in one or the other, frames are equal but for independent
camera noise and what the video codec spreads within its blocks of 16 x 16 pixels. Lengths and
listed frames are equal, too. Simulated observers look at runners' legs more often.
"""


def make_clips(
    out_dir: str | Path,
    persons: Iterable[int] = range(1, 26),
    actions: Iterable[str] = ACTIONS,
    scenarios: Iterable[int] = (1,),
    passes: int = 4,
    seed: int = 0,
    observers: int = 8,
    evidence: str = 'full',
    overwrite: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[Path]:
    """Make synthetic clips with known evidence, their truth masks and simulated fixations.

    With the same library versions, the same settings give the same bytes, and no clip depends on
    which others are made. Clips that are there already are kept, so an interrupted run can be
    started again and a folder can be added to; lists and table cover all clips in the folder.

    Args:
        out_dir: Folder; made if it is not there.
        persons: Numbers from 1 to 99.
        actions: ``'walking'``, ``'running'`` or both.
        scenarios: 1 to 4, as in KTH: outdoors; changing scale; other clothes; indoors with shadow.
        passes: How often the person crosses the picture in each file.
        seed: Another seed, other persons and places.
        observers: Number of simulated observers; 0 leaves the table empty.
        evidence: ``'full'``: everything differs between the actions. ``'legs'``: only the legs.
        overwrite: Make clips again that are there, and drop those made with other settings.
        progress: Called with clips done, clips in all and the name of the last clip.

    Returns:
        The videos asked for, by person, action and scenario.

    Raises:
        ValueError: An argument is out of its range, the folder holds clips made with other
            settings, or it holds such files that this function did not make.
        OSError: The folder cannot be written.
    """
    out_dir = Path(out_dir)
    names = [
        ClipName(*key)
        for key in product(sorted(set(persons)), dict.fromkeys(actions), sorted(set(scenarios)))
    ]
    settings = {
        'recipe': RECIPE,
        'seed': seed,
        'passes': passes,
        'observers': observers,
        'evidence': evidence,
    }
    _check(names, settings)
    _claim(out_dir, settings, overwrite)
    for done, name in enumerate(names, start=1):
        if overwrite or not ((out_dir / name.video).exists() and _truth(out_dir, name).exists()):
            _make_clip(out_dir, name, settings)
        if progress is not None:
            progress(done, len(names), str(name))
    _write_lists(out_dir, settings)
    return [out_dir / name.video for name in names]


def _truth(out_dir: Path, name: ClipName) -> Path:
    return out_dir / TRUTH / f'{name}.npz'


def _plan(name: ClipName, settings: dict) -> Plan:
    return plan_clip(name, settings['passes'], settings['seed'], settings['evidence'])


def _make_clip(out_dir: Path, name: ClipName, settings: dict) -> None:
    clip = draw_clip(_plan(name, settings))
    # The video comes last: where it is, the truth is.
    (out_dir / name.video).unlink(missing_ok=True)
    write_truth(Truth(clip.body, clip.legs), _truth(out_dir, name))
    write_video(clip.frames, out_dir / name.video)


def _check(names: list[ClipName], settings: dict) -> None:
    if not names:
        raise ValueError('expected at least one person, one action and one scenario')
    for name in names:
        check_clip(name, settings['passes'], settings['seed'], settings['evidence'])
    if not 0 <= settings['observers'] <= 99:
        raise ValueError(f'expected 0 to 99 observers, got {settings["observers"]}')


def _videos(out_dir: Path) -> list[Path]:
    return sorted(
        video
        for action in ACTIONS
        for video in out_dir.glob(f'person[0-9][0-9]_{action}_d[1-4]_uncomp.avi')
    )


def _claim(out_dir: Path, settings: dict, overwrite: bool) -> None:
    """Make sure that the folder holds clips of these settings only; leave the settings in it."""
    path = out_dir / SETTINGS
    if not path.exists():
        # Real KTH videos have the same names; they must never be taken for ours or replaced.
        ours = [out_dir / name for name in (SEQUENCES, FIXATIONS, README, TRUTH)]
        foreign = [*_videos(out_dir), *(file for file in ours if file.exists())]
        if foreign:
            raise ValueError(
                f'{out_dir} holds {foreign[0].name}, which is not from here (no {SETTINGS} '
                'beside it); choose an empty or a new folder'
            )
    elif (found := _read_settings(path)) != settings:
        changed = [
            f'{key} {found.get(key)!r}' for key in settings if found.get(key) != settings[key]
        ]
        if not overwrite:
            raise ValueError(
                f'{out_dir} holds clips made with {", ".join(changed)}; choose another folder, '
                'the same settings, or overwrite'
            )
        for video in _videos(out_dir):
            video.unlink()
            _truth(out_dir, _name(video)).unlink(missing_ok=True)
    text = json.dumps({'synthetic': True, **settings}, indent=2) + '\n'
    _write_text(text, path)


def _read_settings(path: Path) -> dict:
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
        if found.pop('synthetic'):
            return found
    except (ValueError, KeyError, AttributeError):
        pass
    raise ValueError(f'{path} does not hold the settings of synthetic clips')


def _name(video: Path) -> ClipName:
    return ClipName(*parse_name(video.stem))


def _write_lists(out_dir: Path, settings: dict) -> None:
    """Write sub-sequences, fixations and README for all clips in the folder."""
    sequences, tables = {}, []
    for video in _videos(out_dir):
        plan = _plan(_name(video), settings)
        visible = read_truth(_truth(out_dir, plan.name)).body.any(axis=(1, 2))
        sequences[str(plan.name)] = list_passes(plan, visible)
        tables.append(simulate_fixations(plan, visible, settings['observers']))
    write_sequences(out_dir / SEQUENCES, sequences, header='Synthetic clips in the form of KTH.')
    write_fixation_table(pd.concat(tables, ignore_index=True), out_dir / FIXATIONS)
    _write_text(ABOUT.format(version=__version__, **settings), out_dir / README)


def _write_text(text: str, path: Path) -> None:
    replace_with(path, lambda temporary: temporary.write_text(text, encoding='utf-8'))
