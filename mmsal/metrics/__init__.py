"""Saliency metrics as pure functions; NumPy only.

Distribution-based metrics, which hold a map against another map, are in
:mod:`mmsal.metrics.distribution_based`. Where the code of the MIT Saliency Benchmark and the
Tübingen one (pysaliency) differ, ``convention`` says which is followed.
"""

from mmsal.metrics.distribution_based import cc, similarity
from mmsal.metrics.maps import CONVENTIONS

__all__ = ['CONVENTIONS', 'cc', 'similarity']
