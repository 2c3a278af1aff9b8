"""Training from a PyTorchVideo checkpoint: refused where it does not fit, said where it does."""

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner

from mmsal.models.pytorchvideo import check_fit


@HOOKS.register_module()
class PyTorchVideoWeightsHook(Hook):
    """Guard ``load_from`` when it names a checkpoint of PyTorchVideo's.

    MMEngine loads what fits and warns of the rest, so that a checkpoint of another network would
    leave a model at random and training would go on. This hook ends it instead. In training, a
    classifier for another number of classes stays the model's own; in testing it is refused.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check, and complete, the weights that are about to be loaded.

        Raises:
            ConversionError: They are those of another network, or of other classes in testing.
        """
        network = (checkpoint.get('meta') or {}).get('pytorchvideo')
        if network is None:
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        trains = isinstance(runner._train_loop, BaseLoop)  # until it trains it is a dict
        weights = checkpoint['state_dict']
        kept = check_fit(model, network, weights, replace_head=trains)
        for name in kept:
            weights[name] = model.state_dict()[name]
        if kept:
            runner.logger.info(
                f'{len(weights) - len(kept)} weights come from PyTorchVideo; the classifier '
                f'({", ".join(kept)}) starts at random, for its classes are others'
            )
