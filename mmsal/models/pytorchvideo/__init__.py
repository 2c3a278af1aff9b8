"""PyTorchVideo's I3D R50, X3D-L and SlowFast R101, made of MMAction2's blocks."""

from mmsal.models.pytorchvideo.backbones import PyTorchVideoSlowFast, PyTorchVideoX3D
from mmsal.models.pytorchvideo.convert import (
    MODEL_ZOO,
    NETWORKS,
    ConversionError,
    check_fit,
    check_start,
    convert_state_dict,
    load_pytorchvideo_state_dict,
    weights_of,
)
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
    'PyTorchVideoI3DHead',
    'PyTorchVideoSlowFast',
    'PyTorchVideoSlowFastHead',
    'PyTorchVideoX3D',
    'PyTorchVideoX3DHead',
    'check_fit',
    'check_start',
    'convert_state_dict',
    'load_pytorchvideo_state_dict',
    'read_local_checkpoint',
    'weights_of',
]
