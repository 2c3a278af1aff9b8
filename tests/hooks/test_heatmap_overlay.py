"""HeatmapOverlayHook: pictures in the visualizer, and a training that takes no notice."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import HOOKS
from mmengine.config import Config
from mmengine.hooks import Hook

from mmsal.hooks.strip import GAP, HEADING, NARROW, draw_strip, first_view
from mmsal.visualization import overlay

NAMES = (  # the first and the last sample of the validation data
    'heatmap_0_person01_running_d1_uncomp.frames-13-43',
    'heatmap_3_person01_walking_d1_uncomp.frames-111-186',
)


def overlay_hook(**options) -> dict:
    return dict(type='HeatmapOverlayHook', **{'num_samples': 2, 'frames': 3, **options})


def pictures(runner) -> dict[str, np.ndarray]:
    """What lies in the folder of the local back-end, BGR."""
    folder = Path(runner._log_dir) / 'vis_data' / 'vis_image'
    return {path.stem: cv2.imread(str(path)) for path in sorted(folder.glob('*.png'))}


@pytest.fixture
def random_config(config_path) -> dict:
    """Options that make a training depend on all that is drawn in it."""
    steps = Config.fromfile(config_path).test_pipeline
    pipeline = [*steps[:5], dict(type='Flip', flip_ratio=0.5), *steps[5:]]
    return dict(
        model=dict(cls_head=dict(dropout_ratio=0.5)),
        train_dataloader=dict(batch_size=1, dataset=dict(pipeline=pipeline, indices=2)),
        val_dataloader=dict(dataset=dict(pipeline=pipeline)),
        train_cfg=dict(max_epochs=2),
        randomness=dict(seed=1),
        default_hooks=dict(checkpoint=dict(interval=-1, save_best=None)),
    )


def test_training_is_the_same_to_the_last_bit(make_runner, random_config):
    def trained(*hooks, **options):
        runner = make_runner(*hooks, **{**random_config, **options})
        return runner, {name: one.clone() for name, one in runner.train().state_dict().items()}

    _, expected = trained()
    _, other = trained(randomness=dict(seed=2))
    runner, weights = trained(overlay_hook(interval=1))
    assert all(one.equal(expected[name]) for name, one in weights.items())
    assert not all(one.equal(expected[name]) for name, one in other.items())
    assert all(one.requires_grad for one in runner.model.parameters())
    assert len(pictures(runner)) == 4


@HOOKS.register_module(force=True)
class Modes(Hook):
    """Writes down which modules train after a validation."""

    def after_val_epoch(self, runner, metrics=None):
        self.training = [module.training for module in runner.model.modules()]


def test_pictures_are_of_the_same_samples_every_few_epochs(make_runner, random_config):
    random_config['train_cfg'] = dict(max_epochs=5)
    runner = make_runner(overlay_hook(interval=2), dict(type='Modes'), **random_config)
    attributes = set(vars(runner.model))
    runner.train()
    assert set(vars(runner.model)) == attributes
    found = pictures(runner)
    assert set(found) == {f'{name}_{epoch}' for name in NAMES for epoch in (2, 4, 5)}
    for name in NAMES:
        first, *others = (found[f'{name}_{epoch}'].astype(int) for epoch in (2, 4, 5))
        frames = slice(HEADING, HEADING + 96)  # the upper row, and below it what changes
        assert all((first[frames] == other[frames]).all() for other in others)
        assert all((first != other).any() for other in others)
    (modes,) = (hook for hook in runner.hooks if isinstance(hook, Modes))
    assert not any(modes.training)


def test_epochs_without_validation_put_the_picture_off(make_runner, random_config):
    random_config['train_cfg'] = dict(max_epochs=7, val_begin=3, val_interval=3)
    runner = make_runner(overlay_hook(interval=5, num_samples=1), **random_config)
    runner.train()
    assert set(pictures(runner)) == {f'{NAMES[0]}_{epoch}' for epoch in (6, 7)}


def test_picture_shows_the_input_and_the_map(make_runner, random_config, monkeypatch):
    shown = {}
    monkeypatch.setattr(
        'mmsal.hooks.heatmap_overlay.draw_strip',
        lambda *arguments, **look: shown.update(arguments=arguments, look=look),
    )
    runner = make_runner(overlay_hook(target='running', alpha=0.3), **random_config)
    monkeypatch.setattr(runner.train_loop, 'run', lambda: None)
    runner.train()
    (hook,) = (hook for hook in runner.hooks if type(hook).__name__ == 'HeatmapOverlayHook')
    hook._explained(runner, 3)
    frames, maps, count, caption = shown['arguments']
    assert (frames.shape, maps.shape, count) == ((8, 48, 64, 3), (8, 48, 64), 3)
    assert shown['look'] == {'alpha': 0.3, 'colormap': 'viridis'}

    # Not from the hook: the dataset's sample, and what its own network says about it.
    runner.model.eval()
    dataset = runner.val_dataloader.dataset
    np.random.seed(0)
    sample = dataset[3]
    np.testing.assert_array_equal(frames, sample['inputs'].permute(0, 2, 3, 1).numpy())
    batch = {key: [value] for key, value in sample.items()}
    with torch.no_grad():
        (predicted,) = runner.model.test_step(batch)
    best = ('walking', 'running')[int(predicted.pred_label)]
    score = float(predicted.pred_score.max())
    assert caption == f'true walking, predicted {best} ({score:.2f}), explained running'


def test_strip_has_frames_above_and_overlays_below():
    frames = np.random.default_rng(0).integers(0, 256, (9, 20, 150, 3), np.uint8)
    maps = np.tile(np.linspace(0, 1, 150), (9, 20, 1)).astype(np.float32)
    strip = draw_strip(frames, maps, 3, 'caption', alpha=0.25, colormap='magma')
    expected = overlay(frames[[0, 4, 8]], maps[[0, 4, 8]], 0.25, 'magma')
    top = HEADING
    assert strip.shape == (HEADING + 2 * (20 + GAP), GAP + 3 * (150 + GAP), 3)
    for column, frame in enumerate((0, 4, 8)):
        columns = slice(GAP + column * (150 + GAP), GAP + column * (150 + GAP) + 150)
        np.testing.assert_array_equal(strip[top : top + 20, columns], frames[frame])
        np.testing.assert_array_equal(strip[-20 - GAP : -GAP, columns], expected[column])
    # Small frames are enlarged, and a short strip still has room for the caption.
    caption = 'true walking, predicted running (0.55), explained running'
    small = draw_strip(frames[:1, :, :50], maps[:1, :, :50], 3, caption)
    assert small.shape == (HEADING + 2 * (60 + GAP), NARROW, 3) and small.dtype == np.uint8
    np.testing.assert_array_equal(small[HEADING : HEADING + 60 : 3, GAP : GAP + 150 : 3],
                                  frames[0, :, :50])  # fmt: skip
    assert (small[:HEADING, NARROW - 20 :] == 255).all() and (small[:HEADING] < 99).any()


def test_first_view_of_clips_and_of_numbers_that_are_no_pixels():
    inputs = torch.arange(2 * 3 * 4 * 5 * 6, dtype=torch.float).view(2, 3, 4, 5, 6)
    view = first_view(inputs, 4)
    assert view.shape == (4, 5, 6, 3) and view.dtype == np.uint8
    assert (view.min(), view.max()) == (0, 255)
    pixels = torch.arange(6 * 3 * 2 * 2, dtype=torch.uint8).view(6, 3, 2, 2)
    assert (first_view(pixels, 4) == pixels[:4].permute(0, 2, 3, 1).numpy()).all()
    with pytest.raises(ValueError, match=r'frames of 3 colours.*\[6, 2, 4, 4\]'):
        first_view(torch.zeros(6, 2, 4, 4), 4)


OPTIONS = {
    'interval': (dict(interval=0), 'expected interval to be a whole number from 1, got 0'),
    'frames': (dict(frames=1.5), 'expected frames to be a whole number from 1, got 1.5'),
    'alpha': (dict(alpha=2), 'expected alpha from 0 to 1, got 2'),
    'colormap': (dict(colormap='pretty'), "expected a colormap of matplotlib, got 'pretty'"),
    'layer': (dict(target_layer_name='backbone/layer9'), "'backbone/layer9' does not exist"),
    'class': (dict(target='flying'), "class 'flying' does not exist"),
    # These exist, and only a forward pass can tell.
    'layer without maps': (
        dict(target_layer_name='cls_head/recurrent'),
        'takes no part in the forward pass',
    ),
}


@pytest.mark.parametrize(('options', 'told'), OPTIONS.values(), ids=OPTIONS)
def test_wrong_options_are_refused_before_training(make_runner, monkeypatch, options, told):
    monkeypatch.setattr('mmengine.runner.EpochBasedTrainLoop.run_epoch', None)
    with pytest.raises(ValueError, match=told) as refusal:
        make_runner(overlay_hook(**options)).train()
    assert '\n' not in str(refusal.value)


def test_training_that_counts_no_epochs_is_refused(make_runner):
    runner = make_runner(overlay_hook())
    runner._train_loop = dict(type='IterBasedTrainLoop', max_iters=1)
    with pytest.raises(ValueError, match='counts epochs'):
        runner.train()


def test_what_fails_later_is_logged_and_training_goes_on(make_runner, random_config, monkeypatch):
    runner = make_runner(overlay_hook(interval=1), **random_config)
    add_image, calls = runner.visualizer.add_image, []

    def fail_at_first(name, picture, step):
        calls.append(name)
        if len(calls) == 1:
            raise RuntimeError('out of\nmemory')
        add_image(name, picture, step)

    monkeypatch.setattr(runner.visualizer, 'add_image', fail_at_first)
    runner.train()
    assert runner.epoch == 2 and len(pictures(runner)) == 3
    told = [line for line in runner.told if 'no overlay' in line]
    assert told == ['HeatmapOverlayHook: no overlay of validation sample 0: out of memory']


def test_a_training_without_validation_says_that_there_are_no_pictures(make_runner, random_config):
    nothing = dict(val_dataloader=None, val_cfg=None, val_evaluator=None)
    runner = make_runner(overlay_hook(), **{**random_config, **nothing})
    runner.train()
    assert 'HeatmapOverlayHook draws nothing: there is no validation' in runner.told


def test_tensorboard_gets_the_pictures(make_runner, random_config):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    random_config['visualizer'] = dict(vis_backends=[dict(type='TensorboardVisBackend')])
    runner = make_runner(overlay_hook(interval=2), **random_config)
    runner.train()
    events = EventAccumulator(str(Path(runner._log_dir) / 'vis_data'))
    events.Reload()
    assert {tuple(one.step for one in events.Images(name)) for name in NAMES} == {(2,)}
