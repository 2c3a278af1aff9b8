"""What a config's ``optim_wrapper`` may name besides MMEngine's own; registered with MMAction2."""

from mmsal.training.bfloat16 import BFloat16Error, BFloat16OptimWrapper

__all__ = ['BFloat16Error', 'BFloat16OptimWrapper']
