"""Which layers of a recognizer can be explained, for a video at hand."""

from pathlib import Path

from torch import nn

from mmsal.attribution import LayerPreview, preview_layers
from mmsal.explain.prepare import Sampling, open_pipeline


def preview_model(model: nn.Module, video: str | Path, sampling: Sampling) -> list[LayerPreview]:
    """The candidates for the target layer, with the shapes they have for this video.

    Args:
        model (nn.Module): From :func:`mmsal.explain.load_recognizer`.
        video (str | Path): A video file, or a folder of frames.
        sampling (Sampling): How it is read.

    Raises:
        VideoError: The video cannot be read.
    """
    pipeline = open_pipeline(model.cfg, sampling)
    clip = pipeline.prepare(pipeline.probe(video, sampling.source_fps))
    return preview_layers(model, clip.data)


def as_table(layers: list[LayerPreview]) -> str:
    """One line per layer: name, class, frames x rows x columns, output; ``*`` is the default."""
    rows = [
        (
            '*' if layer.default else ' ',
            layer.name,
            ' x '.join(map(str, layer.grid)),
            layer.kind,
            str(list(layer.output)),
        )
        for layer in layers
    ]
    rows.insert(0, (' ', 'target layer', 'frames x rows x columns', 'class', 'output'))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return '\n'.join(
        '  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
