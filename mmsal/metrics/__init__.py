"""Saliency metrics as pure functions; NumPy only.

Distribution-based metrics, which hold a map against another map, are in
:mod:`mmsal.metrics.distribution_based`, those of saliency against true regions in
:mod:`mmsal.metrics.overlap`. Where the code of the MIT Saliency Benchmark and the
Tübingen one (pysaliency) differ, ``convention`` says which is followed.
"""

from mmsal.metrics.distribution_based import cc, similarity
from mmsal.metrics.maps import CONVENTIONS
from mmsal.metrics.overlap import euclidean_distance, weighted_jaccard

__all__ = ['CONVENTIONS', 'cc', 'euclidean_distance', 'similarity', 'weighted_jaccard']
