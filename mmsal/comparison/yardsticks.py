"""Names in a gaze comparison: what models are measured by, whose gaze, which metrics."""

from mmsal.metrics import METRICS

CHANCE = 'chance'
CENTRE_BIAS = 'centre bias'
OTHER_GAZE = 'gaze of other videos'
MOTION = 'motion'
CEILING = 'human ceiling'  # each observer against the others: no row for all of them pooled
YARDSTICKS = (CHANCE, CENTRE_BIAS, OTHER_GAZE, MOTION, CEILING)

ALL_OBSERVERS = 'all observers'  # their gaze pooled
EACH_OBSERVER = 'each observer'  # mean over observers, each taken alone
ONE_OBSERVER = 'observer {}'  # one of them alone

LOWER_IS_BETTER = tuple(name for name, one in METRICS.items() if not one.higher_is_better)
