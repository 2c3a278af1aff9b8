"""Lists of clips and labels, as MMAction2's VideoDataset reads them, checked before training."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path


def check_clip_list(dataset: Mapping, classes: int, labelled: bool = True, fewest: int = 1) -> None:
    """Hold the list of a ``VideoDataset`` against the number of classes of a model.

    MMAction2 reads the list line by line when it trains; a label that the model has no class for
    then ends in an error of the loss function, on a GPU in one that names nothing.

    Args:
        dataset: A dataset of a config. One of another type, with several labels per clip, or on
            a server, passes.
        classes: Of the model.
        labelled: Whether every line must have a label, as training needs.
        fewest: Clips that it must list; fewer than a batch, the rest being dropped, are no epoch.

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
    try:
        text = path.read_text(encoding='utf-8')
    except UnicodeDecodeError as error:
        raise ValueError(f'the list of clips {path} is no text in UTF-8') from error
    if text.startswith('\ufeff'):
        raise ValueError(
            f'the list of clips {path} begins with a byte order mark, which VideoDataset takes for '
            'a part of the first path: save it as UTF-8 without'
        )
    lines = text.splitlines()
    if not any(line.strip() for line in lines):
        raise ValueError(f'the list of clips {path} is empty')
    if len(lines) < fewest:
        raise ValueError(
            f'the list of clips {path} has {len(lines)}, fewer than a batch of {fewest}: lower '
            'batch_size, or set drop_last=False'
        )
    for number, line in enumerate(lines, start=1):
        parts = line.strip().split(delimiter)
        if len(parts) == 1 and parts[0] and not labelled:
            continue
        if len(parts) != 2 or not re.fullmatch('[0-9]+', parts[1]):
            raise ValueError(f'{path}, line {number}: expected PATH LABEL, got {line.strip()!r}')
        if int(parts[1]) >= classes:
            raise ValueError(
                f'{path}, line {number}: label {parts[1]}, but the model has {classes} classes, 0 '
                f'to {classes - 1} (model.cls_head.num_classes in the config)'
            )


def check_class_names(dataset: Mapping, names: Sequence[str] | None, classes: int) -> None:
    """Hold a config's ``class_names`` against its model and the classes that were listed.

    They name the classes of heatmaps and predictions; in another order they would name wrong ones.

    Args:
        dataset: A ``VideoDataset`` of the config; ``classes.txt`` beside its list, where
            ``tools/data/list_videos.py`` wrote one, says what label is what.
        names: ``class_names`` of the config, or None.
        classes: Of the model.

    Raises:
        ValueError: Other names, or more or fewer.
    """
    if names is not None and len(names) != classes:
        raise ValueError(
            f'class_names of the config has {len(names)} names, the model {classes} classes '
            '(model.cls_head.num_classes)'
        )
    if dataset.get('type') != 'VideoDataset':
        return
    path = Path(dataset.get('data_root') or '') / str(dataset.get('ann_file') or '')
    listed = path.with_name('classes.txt')
    if not listed.is_file():
        return
    labels = listed.read_text(encoding='utf-8').splitlines()
    if len(labels) != classes:
        raise ValueError(
            f'{listed} lists {len(labels)} classes, the model has {classes} '
            '(model.cls_head.num_classes in the config)'
        )
    if names is not None and list(names) != labels:
        raise ValueError(
            f'class_names of the config are {", ".join(names)}, but {listed} has, in the order of '
            f'labels, {", ".join(labels)}'
        )
