"""Run one of MMAction2's own scripts from the installed package, its input checked first."""

import inspect
import os
import runpy
import sys
from pathlib import Path


def run_script(name: str) -> None:
    """Check the arguments of ``train.py`` or ``test.py`` and hand over to MMAction2's script.

    The script's own parser reads the command line, so that its options and their meaning stay
    MMAction2's. Checked first, because the script would end in a traceback or, worse, go on: that
    the config can be read, that the checkpoint is safe and fits the model, that the dump can be
    written.
    """
    import mmsal  # noqa: F401  first: it repairs what the script is about to import
    import mmaction  # isort: skip

    path = Path(mmaction.__file__).parent / '.mim' / 'tools' / name
    script = runpy.run_path(str(path), run_name='mmaction_script')
    try:
        args = script['parse_args']()
    except ValueError as error:  # MMEngine's words for --cfg-options without an equals sign
        raise ValueError(f'expected --cfg-options KEY=VALUE ({error})') from error
    config = _check(args)
    if getattr(args, 'resume', None) is not None and config.get('load_from'):
        _resume_or_begin(script, _starts(args, config))
    if args.launcher == 'pytorch' and int(os.environ.get('WORLD_SIZE', 1)) > 1:
        _distribute_on_cpu()
    script['main']()


def _check(args):
    """Check all that the script would stumble over; returns the config."""
    import torch

    from mmsal.datasets.clip_list import check_class_names, check_clip_list
    from mmsal.explain import load_config
    from mmsal.explain.recognizer import build_model, fit_checkpoint, read_checkpoint
    from mmsal.models.pytorchvideo import check_start

    config = load_config(args.config, args.cfg_options)
    _check_variables(args.cfg_options or {}, config)
    if getattr(args, 'resume', None) not in (None, 'auto'):
        _check_resumed(read_checkpoint(args.resume), args.resume)
    elif config.get('resume') and _is_file_name(config.get('load_from')):
        _check_resumed(read_checkpoint(config.load_from), config.load_from)
    checkpoint = getattr(args, 'checkpoint', None)
    weights = None if checkpoint is None else read_checkpoint(checkpoint)
    hooks = config.get('custom_hooks') or []
    for hook in hooks:
        _check_hook(hook)
    model = build_model(config)
    if weights is not None:
        fit_checkpoint(model, weights, checkpoint)
    elif _is_file_name(config.get('load_from')) and _starts(args, config):
        start = read_checkpoint(config.load_from)
        guarded = any(hook.get('type') == 'PyTorchVideoWeightsHook' for hook in hooks)
        if guarded or (start.get('meta') or {}).get('pytorchvideo'):
            check_start(model, start, config.load_from)
    phases = ('train', 'val') if checkpoint is None else ('test',)
    phases = phases[:1] if getattr(args, 'no_validate', False) else phases
    _check_pipelines(config, phases)
    for phase in phases:
        loader = config.get(f'{phase}_dataloader') or {}
        classes = getattr(getattr(model, 'cls_head', None), 'num_classes', None)
        if loader.get('dataset') and classes:
            fewest = loader.get('batch_size', 1) if loader.get('drop_last') else 1
            check_clip_list(loader.dataset, classes, labelled=phase != 'test', fewest=fewest)
            check_class_names(loader.dataset, config.get('class_names'), classes)
    if getattr(args, 'dump', None) is not None:
        if not args.dump.endswith(('.pkl', '.pickle')):
            raise ValueError(f'expected --dump to end with .pkl, got {args.dump}')
        Path(args.dump).parent.mkdir(parents=True, exist_ok=True)
    if getattr(args, 'amp', False) and not torch.cuda.is_available():
        raise ValueError(
            '--amp needs a GPU; on a CPU there is --cfg-options '
            'optim_wrapper.type=BFloat16OptimWrapper'
        )
    return config


def _check_variables(options: dict, config) -> None:
    """Refuse to set a variable of the configs with gaze that their pipelines have read already."""
    steps = (config.get('train_dataloader') or {}).get('dataset', {}).get('pipeline') or ()
    places = [place for place, step in enumerate(steps) if step.get('type') == 'LoadGazeMaps']
    for name in ('fixations', 'sigma', 'map_size'):
        if name in options and places:
            raise ValueError(
                f'--cfg-options {name}=... does not reach the pipelines: set MMSAL_FIXATIONS or '
                'MMSAL_SIGMA in the environment, or each by its place '
                f'(train_dataloader.dataset.pipeline.{places[0]}.{name}=...)'
            )


def _check_resumed(checkpoint: dict, name: str) -> None:
    """Refuse to go on from weights alone."""
    if 'epoch' not in (checkpoint.get('meta') or {}) or 'optimizer' not in checkpoint:
        raise ValueError(
            f'checkpoint {name} holds weights and no state of a training: it cannot be resumed '
            'from; load_from of the config begins with weights'
        )


def _starts(args, config) -> bool:
    """Whether training begins with ``load_from``, rather than where another run stopped."""
    resume = getattr(args, 'resume', None)
    return resume is None or (resume == 'auto' and _nothing_to_resume(args, config))


def _nothing_to_resume(args, config) -> bool:
    """Whether ``--resume`` finds no checkpoint where the config names weights to begin with."""
    folder = args.work_dir or config.get('work_dir') or Path('work_dirs') / Path(args.config).stem
    return bool(config.get('load_from')) and not (Path(folder) / 'last_checkpoint').is_file()


def _resume_or_begin(script: dict, begins: bool) -> None:
    """Make ``--resume`` begin with ``load_from`` the first time, and go on from then on.

    MMAction2 forgets ``load_from`` for ``--resume``, so that the first time it would begin with
    random weights; and a ``load_from`` of ``--cfg-options`` it would go on from every time.
    """
    read = script['parse_args']

    def parse_args():
        args = read()
        if begins:
            args.resume = None  # the others keep what --resume says
        else:
            (args.cfg_options or {}).pop('load_from', None)
        return args

    script['main'].__globals__['parse_args'] = parse_args
    if begins:
        print('nothing to resume yet: begins with load_from of the config', file=sys.stderr)


def _is_file_name(start: str | None) -> bool:
    """Whether training starts from a file; an address that a user gives is MMEngine's to fetch."""
    return bool(start) and '://' not in start


def _check_pipelines(config, phases: tuple[str, ...]) -> None:
    """Refuse transforms and metrics that do not exist or have other options."""
    from mmaction.registry import METRICS, TRANSFORMS

    for phase in phases:
        dataset = (config.get(f'{phase}_dataloader') or {}).get('dataset') or {}
        for step in dataset.get('pipeline') or ():
            _check_part(step, TRANSFORMS, 'transform', f'the {phase} pipeline')
            if step.get('type') == 'LoadGazeMaps':
                for inner in step.get('transforms') or ():
                    _check_part(inner, TRANSFORMS, 'transform', 'LoadGazeMaps')
        metrics = config.get(f'{phase}_evaluator') or ()
        for metric in [metrics] if isinstance(metrics, dict) else metrics:
            _check_part(metric, METRICS, 'metric', f'{phase}_evaluator')


def _check_hook(hook: dict) -> None:
    """Refuse a hook that does not exist or has other options; what they hold is its own affair."""
    from mmaction.registry import HOOKS

    # The priority is the runner's.
    _check_part(
        {key: value for key, value in hook.items() if key != 'priority'},
        HOOKS, 'hook', 'custom_hooks of the config',
    )  # fmt: skip


def _check_part(part: dict, registry, what: str, where: str) -> None:
    """Refuse a part of the config whose type does not exist or has other options."""
    options = dict(part)
    name = options.pop('type', None)
    options.pop('_scope_', None)
    kind = registry.get(name) if isinstance(name, str) else name
    if kind is None:
        raise ValueError(f'{where}: there is no {what} {name!r}')
    try:
        inspect.signature(kind).bind(**options)
    except TypeError as error:
        raise ValueError(f'{where}: {kind.__name__} {error}') from error


def _distribute_on_cpu() -> None:
    """Several processes without GPUs: MMEngine itself asks for one per process.

    It leaves a process group alone that is there already, and takes the wrapper's ``device_ids``
    from the config, where None means the CPU.
    """
    import torch

    if torch.cuda.is_available():
        return
    torch.distributed.init_process_group('gloo')
    sys.argv += [
        '--cfg-options',
        'model_wrapper_cfg.type=MMDistributedDataParallel',
        'model_wrapper_cfg.device_ids=None',
        'model_wrapper_cfg.broadcast_buffers=False',
    ]
