"""Video saliency on MMAction2.

Importing this package checks the environment, applies the workarounds of :mod:`mmsal.compat` and
registers every class of :mod:`mmsal.models`, :mod:`mmsal.datasets`, :mod:`mmsal.training`,
:mod:`mmsal.evaluation` and :mod:`mmsal.hooks` with MMAction2, so that a config needs only
``custom_imports = dict(imports=['mmsal'], allow_failed_imports=False)``.
"""

from mmsal import compat
from mmsal.version import __version__

compat.apply()  # before the first import of mmaction.models, which is broken without it

from mmsal import datasets, evaluation, hooks, models, training  # noqa: E402  registers by importing

__all__ = ['__version__', 'compat', 'datasets', 'evaluation', 'hooks', 'models', 'training']
