"""Saliency metrics as pure functions; NumPy, and POT for the earth mover's distance.

Metrics of saliency at fixations are in :mod:`mmsal.metrics.fixation_based` and
:mod:`mmsal.metrics.auc`; those that hold a map against another map in
:mod:`mmsal.metrics.distribution_based` and :mod:`mmsal.metrics.transport`, those of saliency
against true regions in :mod:`mmsal.metrics.overlap`. :mod:`mmsal.metrics.score` has all of a map
at once, :mod:`mmsal.metrics.by_fixation` those that are means over fixations, one by one. Where the
code of the MIT Saliency Benchmark and the Tuebingen one (pysaliency) differ, ``convention`` says
which is followed.
"""

from mmsal.metrics.auc import auc, auc_borji, auc_judd, auc_shuffled
from mmsal.metrics.by_fixation import fixation_scores
from mmsal.metrics.distribution_based import cc, kl_divergence, similarity
from mmsal.metrics.fixation_based import information_gain, nss
from mmsal.metrics.fixations import OtherFixations
from mmsal.metrics.maps import CONVENTIONS
from mmsal.metrics.overlap import euclidean_distance, jaccard, region_auc, weighted_jaccard
from mmsal.metrics.score import METRICS, Metric, score_map
from mmsal.metrics.transport import emd

__all__ = [
    'CONVENTIONS',
    'METRICS',
    'Metric',
    'OtherFixations',
    'auc',
    'auc_borji',
    'auc_judd',
    'auc_shuffled',
    'cc',
    'emd',
    'euclidean_distance',
    'fixation_scores',
    'information_gain',
    'jaccard',
    'kl_divergence',
    'nss',
    'region_auc',
    'score_map',
    'similarity',
    'weighted_jaccard',
]
