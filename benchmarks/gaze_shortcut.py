"""Does a gaze loss keep a network off a shortcut? An experiment on SYNTHETIC clips.

    OMP_NUM_THREADS=1 python benchmarks/gaze_shortcut.py [--out TABLE.md]
    python benchmarks/gaze_shortcut.py --report        # the table of the runs there are so far

Persons who walk or run and whose legs alone tell which (``evidence='legs'``); simulated observers
who watch them. In training a small pattern in the background tells the class, too
(mmsal.datasets.synthetic.shortcut). Networks are trained with the class loss alone, with a gaze
loss beside it, and with the same gaze loss on shuffled gaze: every training video has the fixations
of a video of somebody else. Then clips of persons who were not in training are classified without
the cue, with the right and with the misleading one, and their maps are held against gaze, that of
the clip and, for what a map gets by showing where people mostly look, that of other persons' clips.

A seed decides the initial weights, the order and augmentation of the samples, the cues and the
shuffling; all conditions of one seed share them. Network, length of training, size of the cue,
metric and weights of the gaze loss were chosen by one seed on the official validation persons
(--validate), the weights by accuracy without the cue; the reported seeds use the test persons.
Runs are kept in a JSON-lines file, one each, so that a second call goes on where the first
stopped. Two processes can share the work, --share 0/2 and --share 1/2, once the clips are made.
"""

import argparse
import dataclasses
import json
import logging
import platform
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from mmaction.utils import register_all_modules
from scipy import stats
from shortcut_training import Condition, Settings, mean_gaze, run

from mmsal.datasets.synthetic import make_clips

TUNING_SEED = 100
CUES_IN_TRAINING = {'class': 'a cue that tells the class', 'none': 'no cue'}

CONDITIONS = {
    'class-loss': Condition(),
    'gaze-class': Condition('class', 0.3),
    'shuffled-class': Condition('class', 0.3, shuffled=True),
    'gaze-attention': Condition('attention'),
    'shuffled-attention': Condition('attention', shuffled=True),
}

DIFFERENCES = (
    ('gaze-class', 'class-loss'),
    ('shuffled-class', 'class-loss'),
    ('gaze-class', 'shuffled-class'),
    ('gaze-attention', 'class-loss'),
    ('shuffled-attention', 'class-loss'),
    ('gaze-attention', 'shuffled-attention'),
)

COLUMNS = {
    'accuracy/none': 'accuracy, no cue',
    'accuracy/class': 'right cue',
    'accuracy/other': 'misleading cue',
    'nss/class/none': 'NSS, no cue',
    'cc/class/none': 'CC, no cue',
    'nss_own/class/none': 'above gaze of others',
    'nss/attention/none': 'NSS of attention, no cue',
    'nss_own/attention/none': 'above gaze of others',
}


def interval(values: np.ndarray) -> str:
    """Mean and the 95 % interval of the mean over seeds, by Student's t."""
    if len(values) < 2 or np.isnan(values).any():
        return f'{np.mean(values):.3f}'
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f'{np.mean(values):.3f} ± {half:.3f}'


def report(rows: pd.DataFrame, no_network: dict[str, float] | None = None) -> list[str]:
    """Two tables in Markdown: by condition, and differences of conditions, paired by seed.

    Args:
        rows: Of the file of runs.
        no_network: Scores by column of what is no network; a row of the first table.
    """
    lines = ['| trained with | seeds | ' + ' | '.join(COLUMNS.values()) + ' |']
    lines.append('|---' * (len(COLUMNS) + 2) + '|')
    groups = dict(list(rows.groupby('condition', sort=False)))
    for name, group in groups.items():
        cells = [interval(group[column].to_numpy()) for column in COLUMNS]
        lines.append(f'| {name} | {len(group)} | ' + ' | '.join(cells) + ' |')
    if no_network:
        cells = [f'{no_network[c]:.3f}' if c in no_network else '' for c in COLUMNS]
        lines.append('| (no network: mean gaze in training) | | ' + ' | '.join(cells) + ' |')
    lines += ['', '| difference, paired by seed | seeds | ' + lines[0].split(' | ', 2)[2], lines[1]]
    for name, other in DIFFERENCES:
        if name in groups and other in groups:
            one, two = (groups[key].set_index('seed')[list(COLUMNS)] for key in (name, other))
            gain = (one - two).dropna(how='all')
            cells = [interval(gain[column].to_numpy()) for column in COLUMNS]
            lines.append(f'| {name} - {other} | {len(gain)} | ' + ' | '.join(cells) + ' |')
    return lines


def main() -> None:
    args = parse_args()
    register_all_modules(init_default_scope=True)
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    settings = Settings(
        args.data,
        subset='val' if args.validate else 'test',
        epochs=args.epochs,
        learning_rate=args.learning_rate,
        cue=args.cue,
        reliability=args.reliability,
        cue_size=args.cue_size,
    )
    changes = {
        key: value for key in ('weight', 'metric') if (value := getattr(args, key)) is not None
    }
    conditions = {
        name: dataclasses.replace(CONDITIONS[name], **changes) for name in args.conditions
    }
    seeds = [TUNING_SEED] if args.validate else args.seeds
    path = args.runs or args.data / 'runs.jsonl'
    if not args.report:
        run_missing(path, settings, conditions, seeds, args.share)
    rows = read_runs(path, settings, conditions, seeds)
    if rows.empty:
        raise SystemExit(f'no runs of these settings in {path} yet')
    lines = [
        f'SYNTHETIC clips; in training {CUES_IN_TRAINING[args.cue]}; {settings.epochs} epochs; '
        f'held-out persons of the {settings.subset} subset; mean over seeds and its 95 % interval '
        f'(Student t); {rows["train_cpu_s"].median():.0f} CPU seconds per training; '
        f'{platform.machine()}, torch {torch.__version__}.',
        '',
        *report(rows, mean_gaze(settings)),
    ]
    print('\n'.join(lines))
    if args.out:
        args.out.write_text('\n'.join(lines) + '\n', encoding='utf-8')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--data',
        type=Path,
        default=Path('data/synthetic_shortcut'),
        help='folder of the clips; made if it is not there (default: %(default)s)',
    )
    parser.add_argument('--runs', type=Path, help='default: runs.jsonl in the folder of --data')
    parser.add_argument('--seeds', type=int, nargs='+', default=list(range(8)))
    parser.add_argument(
        '--conditions', nargs='+', choices=list(CONDITIONS), default=list(CONDITIONS)
    )
    parser.add_argument('--epochs', type=int, default=Settings.epochs)
    parser.add_argument('--learning-rate', type=float, default=Settings.learning_rate)
    parser.add_argument(
        '--cue', choices=list(CUES_IN_TRAINING), default='class', help='in training'
    )
    parser.add_argument('--reliability', type=float, default=1.0, help='of the cue, 0 to 1')
    parser.add_argument('--cue-size', type=int, default=Settings.cue_size, help='in source pixels')
    parser.add_argument('--weight', type=float, help='of the gaze loss, in all conditions')
    parser.add_argument('--metric', help='of the gaze loss, in all conditions')
    parser.add_argument('--validate', action='store_true', help='validation persons, seed 100')
    parser.add_argument('--share', default='0/1', help='of the work, as 0/2 and 1/2')
    parser.add_argument('--report', action='store_true', help='only tabulate the runs there are')
    parser.add_argument('--out', type=Path, help='write the tables to this file, too')
    return parser.parse_args()


def run_missing(
    path: Path, settings: Settings, conditions: dict[str, Condition], seeds: list[int], share: str
) -> None:
    """Do the runs that are not in the file yet, this process's share of them."""
    if not (settings.data / 'README.txt').exists():  # the last file that is written
        make_clips(settings.data, scenarios=(1, 3), evidence='legs')
    place, processes = (int(n) for n in share.split('/'))
    jobs = [(name, seed) for seed in seeds for name in conditions]
    for name, seed in jobs[place::processes]:
        if read_runs(path, settings, {name: conditions[name]}, [seed]).empty:
            row = run(settings, name, conditions[name], seed)
            with path.open('a', encoding='utf-8') as file:
                file.write(json.dumps(row) + '\n')
            print({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()})


def read_runs(
    path: Path, settings: Settings, conditions: dict[str, Condition], seeds: list[int]
) -> pd.DataFrame:
    """Runs of these settings, one row each, in the order of the conditions."""
    rows = [json.loads(line) for line in path.open(encoding='utf-8')] if path.exists() else []
    found = []
    for name, condition in conditions.items():
        asked = {'condition': name, **dataclasses.asdict(condition)}
        asked |= {**dataclasses.asdict(settings), 'data': settings.data.name}
        found += [
            row
            for row in rows
            if row['seed'] in seeds and all(row[key] == value for key, value in asked.items())
        ]
    runs = pd.DataFrame(found)
    return runs if runs.empty else runs.drop_duplicates(['condition', 'seed'])


if __name__ == '__main__':
    main()
