"""What ``tools/saliency/evidence.py`` does: measure with a progress bar, then write the tables."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from torch import nn

from mmsal.comparison.evidence.clips import KnownClip
from mmsal.comparison.evidence.run import (
    RANDOM,
    EvidenceOptions,
    Tables,
    check_methods,
    claim_folder,
    collect,
    measure_clips,
)
from mmsal.comparison.evidence.summary import as_markdown, evidence_table, mean_curves, summarize
from mmsal.heatmaps.atomic import atomic_files
from mmsal.visualization.curve_plot import write_curves


def measure_and_report(
    model: nn.Module,
    clips: Sequence[KnownClip],
    methods: Sequence[str],
    options: EvidenceOptions,
    out_dir: str | Path,
    overwrite: bool = False,
) -> int:
    """Measure, write everything and say what came out.

    Args:
        model (nn.Module): From :func:`mmsal.explain.load_recognizer`.
        clips, methods, options, overwrite: See :func:`measure_clips`.
        out_dir (str | Path): Folder; made if it is not there.

    Returns:
        int: How often a method failed on a clip.

    Raises:
        ValueError: A method that cannot explain the model, a network that does not know the clips'
            actions, or a folder that holds other results.
    """
    out_dir = Path(out_dir)
    unknown = {clip.label for clip in clips} - set(model.class_names)
    if unknown:
        raise ValueError(
            f'the clips show {", ".join(sorted(unknown))}, which is no class of the network: '
            f'{", ".join(model.class_names[:10])}'
        )
    check_methods(model, methods)
    claim_folder(out_dir, model, clips[0].truth.parents[1], options, overwrite)
    failures = []
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task('', total=len(clips) * (len(methods) + 1))
        for method, name, error in measure_clips(
            model, clips, methods, options, out_dir, overwrite
        ):
            progress.update(task, description=f'{method}: {name}', advance=1)
            if error:
                failures.append((method, name, error))
    for method, name, error in failures:
        print(f'failed: {method} on {name}: {" ".join(error.split())}', file=sys.stderr)
    print(write_results(out_dir, collect(out_dir, clips, methods), options), end='')
    print(f'results: {out_dir}')
    return len(failures)


def write_results(out_dir: Path, tables: Tables, options: EvidenceOptions) -> str:
    """Write tables, summary and picture; returns the text of ``summary.md``."""
    summary = summarize(tables, options)
    text = as_markdown(summary, tables, options)
    listed = {
        'predictions.csv': tables.predictions,
        'frames.csv': tables.frames,
        'evidence.csv': evidence_table(tables.frames),
        'deletion.csv': tables.deletion,
        'summary.csv': summary,
    }
    for name, table in listed.items():
        with atomic_files(out_dir / name) as (temporary,):
            table.to_csv(temporary, index=False)
    title = 'SYNTHETIC clips: probability of the predicted class, mean over clips'
    write_curves(mean_curves(tables), out_dir / 'curves.png', title, 'probability', RANDOM)
    with atomic_files(out_dir / 'summary.md') as (temporary,):
        temporary.write_text(text, encoding='utf-8')
    return text
