"""How saliency is held against gaze, the same for every video."""

from __future__ import annotations

from dataclasses import dataclass

from mmsal.metrics import CONVENTIONS

LEVELS = ('frame', 'window', 'video', 'static')
# Standard deviation of the human density where none is given, as a share of the video's width.
SIGMA_SHARE = 1 / 32


@dataclass(frozen=True)
class GazeComparison:
    """What is measured.

    Attributes:
        sigma: Standard deviation of the human density in pixels of the source video; None takes
            1/32 of each video's width. Degrees: :func:`mmsal.gaze.pixels_per_degree`.
        metrics: Names of :data:`mmsal.metrics.METRICS`; None takes all.
        conventions: Of :data:`mmsal.metrics.CONVENTIONS`.
        window_s: Length of the windows in seconds; None leaves the level ``'window'`` out.
        frame_step: Score every so manieth frame that has maps.
        sampled_only: Leave out frames that the model did not look at itself, whose maps are
            filled in between (``seen_frames`` of the sidecar).
        motion: Compute the optical flow of videos as a yardstick, where their files are given.
        seed: Of everything random: random maps, sampled negatives, intervals.

    Raises:
        ValueError: A value that makes no sense.
    """

    sigma: float | None = None
    metrics: tuple[str, ...] | None = None
    conventions: tuple[str, ...] = CONVENTIONS
    window_s: float | None = None
    frame_step: int = 1
    sampled_only: bool = False
    motion: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        from mmsal.metrics import METRICS

        for name in ('sigma', 'window_s'):
            value = getattr(self, name)
            if value is not None and not 0 < value < float('inf'):
                raise ValueError(f'expected a positive {name}, got {value}')
        if self.frame_step < 1:
            raise ValueError(f'expected frame_step of at least 1, got {self.frame_step}')
        if self.seed < 0:
            raise ValueError(f'expected a seed of 0 or more, got {self.seed}')
        for kind, given, known in (
            ('metrics', self.metrics or (), METRICS),
            ('conventions', self.conventions, CONVENTIONS),
        ):
            unknown = [name for name in given if name not in known]
            if unknown:
                raise ValueError(f'expected {kind} {", ".join(known)}; got {unknown[0]!r}')

        asked = METRICS if self.metrics is None else self.metrics
        if not any(set(METRICS[name].conventions) & set(self.conventions) for name in asked):
            raise ValueError(
                f'expected metrics that exist in the convention {", ".join(self.conventions)}, got '
                f'{", ".join(asked)}'
            )

    def sigma_of(self, width: int) -> float:
        """Standard deviation in pixels for a video of this width."""
        return self.sigma if self.sigma is not None else width * SIGMA_SHARE
