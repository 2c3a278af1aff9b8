"""How to read each metric, in words."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MetricNote:
    """Title, what it measures with its range, and what to beware of."""

    title: str
    text: str


METRIC_NOTES = {
    'NSS': MetricNote(
        'normalised scanpath saliency',
        'The map is shifted and scaled to mean 0 and standard deviation 1; NSS is its mean at the '
        'fixations, in standard deviations. 0 is chance, there is no upper limit. It punishes '
        'saliency where nobody looks, and does not care about the scale of the map. The two '
        'conventions differ in the standard deviation (N-1 or N pixels) and in whether a pixel '
        'that is fixated twice counts once (MIT) or twice (Tübingen).',
    ),
    'AUC': MetricNote(
        'area under the ROC curve, exact',
        'The probability that a fixated pixel is more salient than a pixel drawn from the whole '
        'frame, ties counting half: 0.5 is chance, 1 is perfect. Only the order of the values '
        'counts. A centre bias alone scores high, because people look at the middle.',
    ),
    'sAUC': MetricNote(
        'shuffled AUC',
        'As AUC, with the places that people fixated in other videos as negatives: a centre bias '
        'scores 0.5, so what is left is particular to this video. It also takes away what a '
        'model may rightly gain from the middle (Zhang et al., 2008).',
    ),
    'IG': MetricNote(
        'information gain',
        'How much better the map, read as a probability density, predicts the fixations than the '
        'baseline does, in bits per fixation: 0 is no better than the baseline, below 0 is worse. '
        'It needs maps that are meant as probabilities; a map with zeros where people look '
        'is punished hard (Kümmerer et al., 2015).',
    ),
    'CC': MetricNote(
        "Pearson's correlation",
        'The linear correlation over pixels of the map with the density of the gaze, -1 to 1; 0 is '
        'chance. Misses and false alarms count alike. It depends on the width of the Gaussian that '
        'the density was smoothed with.',
    ),
    'SIM': MetricNote(
        'similarity, or histogram intersection',
        'Both maps are made to sum to 1; SIM is the sum over pixels of the smaller value, 0 to 1. '
        'Broad maps score well by overlapping a little everywhere; saliency that is missing '
        'costs more than saliency too much.',
    ),
    'KLD': MetricNote(
        'Kullback-Leibler divergence',
        'How much information is lost when the map stands in for the density of the gaze, in nats: '
        '0 is perfect, there is no upper limit. Very sensitive to zeros where people look.',
    ),
    'EMD': MetricNote(
        "earth mover's distance",
        'How far how much of the density would have to be moved to turn the one map into the '
        'other: 0 is perfect. Near misses cost little. Computed on shrunken maps.',
    ),
    'AUC-Judd': MetricNote(
        "AUC in Judd's form",
        'As AUC, with the thresholds at the fixated values only. It flatters maps with few '
        'fixations: with one fixation a random map scores about 0.74, not 0.5. Do not compare it '
        'between frames or videos with different numbers of fixations.',
    ),
    'AUC-Borji': MetricNote(
        "AUC in Borji's form",
        'As AUC, with random pixels as negatives, 100 draws, and thresholds 0.1 apart: 0.5 is '
        'chance. The coarse thresholds bring it down for peaked maps.',
    ),
}

CONVENTION_TITLES = {'tuebingen': 'Tübingen (pysaliency)', 'mit': 'MIT Saliency Benchmark'}
LEVEL_TITLES = {
    'video': 'video: mean over its frames',
    'window': 'windows of time, then their mean',
    'static': 'static: summed map, all fixations',
}
