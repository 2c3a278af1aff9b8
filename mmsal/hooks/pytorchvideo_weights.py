"""Training from PyTorchVideo's weights: refused where they do not fit, said where they do."""

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner

from mmsal.models.pytorchvideo import as_mmaction, check_start


@HOOKS.register_module()
class PyTorchVideoWeightsHook(Hook):
    """Guard ``load_from``.

    MMEngine loads what fits and warns of the rest, so that a checkpoint of another network would
    leave a model at random and training would go on. This hook ends it instead
    (:func:`mmsal.models.pytorchvideo.check_start`). In training, a classifier of PyTorchVideo's for
    another number of classes is replaced by the model's own; in testing it is refused.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check, and complete, the weights that are about to be loaded.

        Raises:
            ConversionError: They are those of another network, or of other classes in testing.
        """
        converted = as_mmaction(checkpoint)  # one from an address is still PyTorchVideo's
        if converted is not checkpoint:
            checkpoint.clear()
            checkpoint.update(converted)
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        trains = isinstance(runner._train_loop, BaseLoop)  # until it trains it is a dict
        kept = check_start(model, checkpoint, runner._load_from, replace_head=trains)
        weights = checkpoint.get('state_dict', checkpoint)
        for name in kept:
            weights[name] = model.state_dict()[name]
        if kept:
            runner.logger.info(
                f'{len(weights) - len(kept)} weights come from PyTorchVideo; the classifier '
                f'({", ".join(kept)}) starts at random, for its classes are others'
            )
