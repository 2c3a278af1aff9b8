"""What the KTH scripts share: finding clips, working through them, and reporting.

Outputs appear under their final name only when they are complete, so a second run may take
whatever exists for done. It does so only if the first one had the same settings.
"""

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from command_line import FAILED_SOME

VIDEO_SUFFIXES = ('.avi', '.mp4', '.mkv', '.mov')


class InputError(ValueError):
    """A mistake of the user, told in one line."""


def find_clips(folder: Path, kind: str, actions: Sequence[str] | None) -> list[Path]:
    """List the KTH clips in a folder and in its folders per action.

    Args:
        folder: Where to look.
        kind: ``'video'`` for files, ``'frames'`` for folders of frames.
        actions: Actions to keep, or None for all.

    Returns:
        Paths in order of name.

    Raises:
        InputError: The folder does not exist, or holds no such clip.
    """
    from mmsal.datasets.kth_sequences import ACTIONS, clip_id

    if not folder.is_dir():
        raise InputError(
            f'the folder {folder} does not exist; tools/data/kth/download_kth.sh gets KTH'
        )
    clips = []
    for place in (folder, *(folder / action for action in ACTIONS)):
        for path in place.iterdir() if place.is_dir() else ():
            if path.is_dir() != (kind == 'frames'):
                continue
            if kind == 'video' and path.suffix.lower() not in VIDEO_SUFFIXES:
                continue
            try:
                clip = clip_id(path.stem if kind == 'video' else path.name)
            except ValueError:
                continue
            if actions is None or clip.split('_')[1] in actions:
                clips.append(path)
    if not clips:
        of = '' if actions is None else f' of {", ".join(actions)}'
        what = 'video files' if kind == 'video' else 'folders of frames'
        raise InputError(f'{folder} holds no {what}{of} named like person01_walking_d1_uncomp')
    return sorted(clips)


def prepare_folder(out_dir: Path, in_dir: Path, script: str, settings: dict) -> None:
    """Create the output folder, or check that what it holds was made with the same settings.

    Raises:
        InputError: The folder is the input folder, cannot be written, or has outputs of other
            settings.
    """
    record = out_dir / f'{script}.json'
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        if out_dir.resolve() == in_dir.resolve():
            raise InputError(f'input and output are the same folder: {out_dir}')
        # Through JSON, so that tuples and lists compare equal.
        settings = json.loads(json.dumps(settings))
        if not record.exists():
            with moved_into_place(record) as partial:
                partial.write_text(json.dumps(settings, indent=1) + '\n', encoding='utf-8')
            return
        earlier = json.loads(record.read_text(encoding='utf-8'))
    except OSError as error:
        raise InputError(f'cannot write to {out_dir}: {error.strerror}') from None
    except json.JSONDecodeError:
        raise InputError(f'{record} is damaged; delete {out_dir} or take another one') from None
    if earlier != settings:
        names = sorted(key for key in settings if earlier.get(key) != settings[key])
        raise InputError(
            f'{out_dir} was made with other settings ({", ".join(names)}; see {record.name} in '
            'it); delete it or take another output folder'
        )


@contextmanager
def moved_into_place(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, and move it there if the block succeeds.

    The temporary name is hidden, keeps the suffix, and is always the same: what a killed run left
    is replaced by the next.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.stem}.part{path.suffix}')
    _remove(partial)
    try:
        yield partial
        partial.replace(path)
    finally:
        _remove(partial)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def work_through(title: str, jobs: Sequence, work: Callable[[object], bool]) -> int:
    """Do all jobs with a progress bar; a job that fails does not stop the others.

    Args:
        title: What is being done, for the bar and the summary.
        jobs: Arguments for `work`; each begins with its name, for messages.
        work: Does one job; returns False if there was nothing to do.

    Returns:
        Exit code: 0, or 3 if some jobs failed. These are listed on stderr.
    """
    import av
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    failed, done = [], 0
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        for job in progress.track(jobs, description=title):
            try:
                done += bool(work(job))
            # PyAV's errors are not all OSError; nothing here is a mistake in the program.
            except (OSError, ValueError, av.FFmpegError) as error:
                failed.append(f'{job[0]}: {" ".join(str(error).split())}')
    skipped = len(jobs) - done - len(failed)
    print(f'{title}: {done} done, {skipped} there already, {len(failed)} failed')
    for line in failed:
        print(f'failed: {line}', file=sys.stderr)
    return FAILED_SOME if failed else 0
