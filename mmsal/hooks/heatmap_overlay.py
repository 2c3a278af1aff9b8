"""Overlays of a few validation clips, every few epochs, in MMEngine's visualizer."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmaction.registry import HOOKS
from mmengine.dataset import pseudo_collate
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmsal.datasets.chance import chance_restored
from mmsal.explain import Question, find_class
from mmsal.explain.decoding import one_line
from mmsal.explain.prediction import average_views
from mmsal.hooks.borrowed import as_recognizer, names_of_classes
from mmsal.hooks.samples import name_sample
from mmsal.hooks.strip import draw_strip, first_view
from mmsal.visualization import evenly_spaced
from mmsal.visualization.overlay import check_look


@HOOKS.register_module()
class HeatmapOverlayHook(Hook):
    """Shows during training what the network looks at: pictures in every visualizer back-end.

    After a validation it takes samples from the validation dataset, the same ones every time, runs
    them through the dataset's pipeline, explains them and adds one picture per sample with
    ``runner.visualizer.add_image``, its step being the epoch: frames of the network's input (the
    first clip and crop) and the same frames under their maps.

    Training is not changed by it, to the last bit. Options are tried out on the first sample
    before training; what goes wrong later is logged, and training goes on. The first process does
    the drawing, the others wait for it with their next step.

    Args:
        interval (int): Epochs from one picture to the next; drawn after the first validation at or
            after each multiple of it, and after the last epoch. Defaults to 5.
        num_samples (int): At most so many samples, from the dataset's first to its last.
        frames (int): At most so many frames of each, from the first to the last.
        method (str): See :func:`mmsal.attribution.open_explainer`. Defaults to ``'gradcam'``.
        target (int | str, optional): Class number (from 0) or name; None explains each sample's
            predicted class.
        target_layer_name (str, optional): None takes the model's last layers.
        method_options (dict, optional): Options of the method.
        alpha (float): Weight of the heatmap, 0 to 1. Defaults to 0.5.
        colormap (str): Of matplotlib. Defaults to ``'viridis'``.

    Raises:
        ValueError: An option has none of the values above. Before training: the class, the layer
            or the method does not exist or cannot explain the first sample, or the training does
            not count epochs.
    """

    # Before the EMA hook takes the averaged weights out again: they are what was validated.
    priority = 'ABOVE_NORMAL'

    def __init__(
        self,
        interval: int = 5,
        num_samples: int = 4,
        frames: int = 8,
        method: str = 'gradcam',
        target: int | str | None = None,
        target_layer_name: str | None = None,
        method_options: Mapping[str, Any] | None = None,
        alpha: float = 0.5,
        colormap: str = 'viridis',
    ) -> None:
        counts = {'interval': interval, 'num_samples': num_samples, 'frames': frames}
        for name, count in counts.items():
            if not isinstance(count, int) or count < 1:
                raise ValueError(f'expected {name} to be a whole number from 1, got {count!r}')
        check_look(alpha, colormap)
        self.interval, self.num_samples, self.frames = interval, num_samples, frames
        self.question = Question(
            method, target_layer_name, dict(method_options or {}), target, 'input'
        )
        self.look = {'alpha': alpha, 'colormap': colormap}
        self._training = False
        self._passed = 0

    def before_train(self, runner: Runner) -> None:
        """Try the options out, in every process alike."""
        if runner.val_loop is None:
            runner.logger.warning('HeatmapOverlayHook draws nothing: there is no validation')
            return
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            raise ValueError('HeatmapOverlayHook counts epochs: it needs an EpochBasedTrainLoop')
        self._training = True
        self._passed = runner.epoch // self.interval
        self._explained(runner, 0)

    def after_train(self, runner: Runner) -> None:
        """A validation after that is none of this training."""
        self._training = False

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Draw, if it is time for it."""
        if not self._training:
            return
        passed = runner.epoch // self.interval
        if passed == self._passed and runner.epoch < runner.max_epochs:
            return
        self._passed = passed
        if not is_main_process():
            return
        chosen = evenly_spaced(len(runner.val_dataloader.dataset), self.num_samples)
        for index in map(int, chosen):
            try:
                picture = self._explained(runner, index)
                name = f'heatmap_{self._name(runner, index)}'
                runner.visualizer.add_image(name, picture, step=runner.epoch)
            # Out of memory, say: no reason to lose thirty epochs.
            except (ValueError, OSError, RuntimeError, MemoryError) as error:
                runner.logger.warning(
                    f'HeatmapOverlayHook: no overlay of validation sample {index}: '
                    f'{one_line(error)}'
                )

    def _explained(self, runner: Runner, index: int) -> np.ndarray:
        """The picture of one sample: uint8 [h, w, 3]."""
        dataset = runner.val_dataloader.dataset
        names = names_of_classes(runner, getattr(dataset, 'metainfo', {}))
        # From a seed: the same frames every time, also where the pipeline draws them.
        with chance_restored(seed=0), as_recognizer(runner, class_names=names) as model:
            sample = dataset[index]
            data = pseudo_collate([sample])
            wanted = find_class(names, self.question.target)
            with self.question.open(model) as explainer:
                found = explainer.localize(data, wanted)[0]
            prediction = average_views(model, [found.view_scores])
        maps = found.scaled[0].cpu().numpy()
        caption = (
            f'{_true_class(sample["data_samples"], names)}predicted {prediction.label} '
            f'({prediction.score:.2f}), explained {names[found.target]}'
        )
        frames = first_view(sample['inputs'], len(maps))
        return draw_strip(frames, maps, self.frames, caption, **self.look)

    def _name(self, runner: Runner, index: int) -> str:
        """A sample's name for back-ends that make a file name of it."""
        dataset = runner.val_dataloader.dataset
        if not hasattr(dataset, 'get_data_info'):
            return str(index)
        return f'{index}_{name_sample(dataset.get_data_info(index)).stem}'


def _true_class(sample: Any, names: list[str]) -> str:
    """``'true walking, '``; nothing for a sample without a label that has a name."""
    if 'gt_label' not in sample:
        return ''
    label = sample.gt_label.flatten().tolist()
    # One number, or a 0 or 1 for each of several classes.
    labels = label if len(label) == 1 else [place for place, one in enumerate(label) if one > 0]
    known = [names[one] for one in labels if 0 <= one < len(names)]
    return f'true {" and ".join(known)}, ' if known else ''
