"""The files of a comparison with flow: tables, settings and a picture."""

import json
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from mmsal.comparison.flow.clip import CHANCE, OWN
from mmsal.comparison.flow.folder import FlowComparison
from mmsal.comparison.flow.summary import BASELINES, KEYS
from mmsal.heatmaps.atomic import atomic_files
from mmsal.version import __version__
from mmsal.visualization.flow_plot import Group, Panel, write_paired_plot

TITLES = {
    ('CC', 'mit'): 'CC',
    ('SIM', 'mit'): 'SIM (MIT)',
    ('SIM', 'tuebingen'): 'SIM (Tübingen)',
}


def write_flow_report(
    folder: Path,
    results: pd.DataFrame,
    summary: pd.DataFrame,
    models: dict[str, Path],
    how: FlowComparison,
    left_out: list[str],
    title: str = '',
) -> None:
    """Write ``results.csv``, ``comparison.json``, ``flow.png`` and ``summary.csv``.

    Each is there whole or not at all, the summary last; those of a former run are replaced.

    Args:
        folder: It exists.
        results: Of all videos.
        summary: Of :func:`mmsal.comparison.flow.summary.summarize_flow`.
        models: Folder of heatmaps of each model.
        how: Baselines and draws.
        left_out: Videos that could not be compared, with the reasons.
        title: Line above the picture.
    """
    settings = {
        **asdict(how),
        'models': {model: str(path) for model, path in models.items()},
        'left_out': left_out,
        'mmsal': __version__,
    }
    sides = ('own flow', "others' flow")
    write_paired_plot(draw_panels(results, summary), sides, folder / 'flow.png', title)
    targets = (folder / 'results.csv', folder / 'comparison.json', folder / 'summary.csv')
    with atomic_files(*targets) as (table, note, short):
        results.to_csv(table, index=False, lineterminator='\n')
        note.write_text(json.dumps(settings, indent=1, sort_keys=True) + '\n', encoding='utf-8')
        summary.to_csv(short, index=False, lineterminator='\n')


def draw_panels(results: pd.DataFrame, summary: pd.DataFrame) -> list[Panel]:
    """What the picture shows: of each measure every video, and the means of :data:`TITLES`.

    The conventions of CC differ for constant maps alone, so one of them is drawn.
    """
    videos = results[results['level'] == 'video'].set_index(KEYS)['value']
    means = summary.set_index(KEYS)[['mean', 'low', 'high']]
    models = [model for model in results['model'].unique() if model not in BASELINES]
    panels = []
    for measure, title in TITLES.items():

        def group(model: str, reference: str, measure=measure) -> Group:
            key = (model, reference, *measure)
            return Group(videos.loc[[key]].to_numpy(float), *means.loc[key])

        pairs = {model: (group(model, OWN), group(model, CHANCE)) for model in models}
        lines = {name: float(means.loc[(name, OWN, *measure), 'mean']) for name in BASELINES}
        panels.append(Panel(title, pairs, lines))
    return panels
