"""Lists of clips and labels, as MMAction2's VideoDataset reads them, checked before training."""

from collections.abc import Mapping
from pathlib import Path


def check_clip_list(dataset: Mapping, classes: int, labelled: bool = True) -> None:
    """Hold the list of a ``VideoDataset`` against the number of classes of a model.

    MMAction2 reads the list line by line when it trains; a label that the model has no class for
    then ends in an error of the loss function, on a GPU in one that names nothing.

    Args:
        dataset: A dataset of a config. One of another type, with several labels per clip, or on
            a server, passes.
        classes: Of the model.
        labelled: Whether every line must have a label, as training needs.

    Raises:
        FileNotFoundError: There is no such list.
        ValueError: A line is not `path label`, a label is no class, or there is no line.
    """
    if dataset.get('type') != 'VideoDataset' or dataset.get('multi_class'):
        return
    if '://' in f'{dataset.get("data_root")} {dataset.get("ann_file")}':
        return
    path = Path(dataset.get('data_root') or '') / str(dataset.get('ann_file') or '')
    if not path.is_file():
        raise FileNotFoundError(
            f'the list of clips {path} does not exist: tools/data/list_videos.py FOLDER makes one, '
            'and ann_file and data_root of the config say where it is'
        )
    delimiter = dataset.get('delimiter', ' ')
    lines = path.read_text(encoding='utf-8').splitlines()
    if not any(line.strip() for line in lines):
        raise ValueError(f'the list of clips {path} is empty')
    for number, line in enumerate(lines, start=1):
        parts = line.strip().split(delimiter)
        if len(parts) == 1 and parts[0] and not labelled:
            continue
        if len(parts) != 2 or not parts[1].isdigit():
            raise ValueError(f'{path}, line {number}: expected PATH LABEL, got {line.strip()!r}')
        if int(parts[1]) >= classes:
            raise ValueError(
                f'{path}, line {number}: label {parts[1]}, but the model has {classes} classes, 0 '
                f'to {classes - 1} (model.cls_head.num_classes in the config)'
            )
