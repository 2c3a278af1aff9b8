"""PyTorchVideo's I3D R50, X3D-L and SlowFast R101, made of MMAction2's blocks."""

from mmsal.models.pytorchvideo.backbones import (
    PyTorchVideoI3D,
    PyTorchVideoSlowFast,
    PyTorchVideoX3D,
)
from mmsal.models.pytorchvideo.convert import (
    MODEL_ZOO,
    NETWORKS,
    ConversionError,
    as_mmaction,
    convert_state_dict,
    weights_of,
)
from mmsal.models.pytorchvideo.fit import check_fit, check_start, load_pytorchvideo_state_dict
from mmsal.models.pytorchvideo.heads import (
    PyTorchVideoI3DHead,
    PyTorchVideoSlowFastHead,
    PyTorchVideoX3DHead,
)
from mmsal.models.pytorchvideo.reading import read_local_checkpoint, register

register()

__all__ = [
    'MODEL_ZOO',
    'NETWORKS',
    'ConversionError',
    'PyTorchVideoI3D',
    'PyTorchVideoI3DHead',
    'PyTorchVideoSlowFast',
    'PyTorchVideoSlowFastHead',
    'PyTorchVideoX3D',
    'PyTorchVideoX3DHead',
    'as_mmaction',
    'check_fit',
    'check_start',
    'convert_state_dict',
    'load_pytorchvideo_state_dict',
    'read_local_checkpoint',
    'weights_of',
]
