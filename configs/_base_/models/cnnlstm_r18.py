# CNN-LSTM: ResNet-18 per frame, a linear layer to 300 features, LSTM layers of 256, 128 and
# one unit per class. No pretrained weights are fetched; `model.backbone.pretrained=
# torchvision://resnet18` takes ImageNet's, where torchvision and a network are at hand.
model = dict(
    type='CNNLSTMRecognizer',
    backbone=dict(type='ResNet', depth=18, pretrained=None, norm_eval=False),
    cls_head=dict(
        type='CNNLSTMHead',
        num_classes=2,
        in_channels=512,
        feature_size=300,
        hidden_sizes=(256, 128),
        cell='lstm',  # or 'input_cell_attention'
        clip_len=30,
        dropout_ratio=0.0,
        topk=(1,),
        average_clips='prob',
    ),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW',
    ),
)
