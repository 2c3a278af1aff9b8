"""Networks, registered with MMAction2 by importing this package."""

from mmsal.models.cbam import CBAM, ResNetCBAM
from mmsal.models.cnn_lstm import CNNLSTMRecognizer
from mmsal.models.cnn_lstm_head import CNNLSTMHead
from mmsal.models.gaze_aligned import GazeAlignedRecognizer2D, GazeAlignedRecognizer3D
from mmsal.models.gaze_loss import GazeAlignmentLoss
from mmsal.models.input_cell_attention import InputCellAttentionLSTM
from mmsal.models.pytorchvideo import (
    PyTorchVideoI3D,
    PyTorchVideoI3DHead,
    PyTorchVideoSlowFast,
    PyTorchVideoSlowFastHead,
    PyTorchVideoX3D,
    PyTorchVideoX3DHead,
    load_pytorchvideo_state_dict,
)

__all__ = [
    'CBAM',
    'CNNLSTMHead',
    'CNNLSTMRecognizer',
    'GazeAlignedRecognizer2D',
    'GazeAlignedRecognizer3D',
    'GazeAlignmentLoss',
    'InputCellAttentionLSTM',
    'PyTorchVideoI3D',
    'PyTorchVideoI3DHead',
    'PyTorchVideoSlowFast',
    'PyTorchVideoSlowFastHead',
    'PyTorchVideoX3D',
    'PyTorchVideoX3DHead',
    'ResNetCBAM',
    'load_pytorchvideo_state_dict',
]
