"""What every backbone is, for Keras and for those who ask what it will be."""

import inspect

import tensorflow as tf

from tf_simmim import freezing
from tf_simmim.backbones import block_plan
from tf_simmim.layers import unconnected


class Backbone(freezing.KeepsFrozen, unconnected.Unconnected, tf.keras.Model):
    """A Keras model of its own class, whose frozen parts are kept in a file.

    A base class. Each argument of a subclass's constructor is an attribute of
    the same name, and an entry of `get_config`.

    Args:
        **kwargs: passed to `tf.keras.Model`.
    """

    @classmethod
    def plan(cls, config) -> block_plan.BlockPlan:
        """Counts the weights and the work of a backbone that need not exist.

            plan = backbones.ViT.plan({"image_size": 224, "depth": 6})
            plan.num_weights, plan.flops

        No variable is made, and a number that is absurdly large costs nothing.

        Args:
            config: dict of constructor arguments, from `get_config` or JSON.
                What it leaves out has its default. Others (`name`, `dtype`)
                make no difference.

        Returns:
            `BlockPlan`.

        Raises:
            ValueError: what the constructor refuses too: a missing argument,
                or one of a wrong kind, sign or length.
        """
        arguments = {
            name: config.get(name, default)
            for name, default in cls._defaults().items()
        }
        if inspect.Parameter.empty in arguments.values():
            missing = [
                name
                for name, value in arguments.items()
                if value is inspect.Parameter.empty
            ]
            raise ValueError(
                f"`config` must have every argument of {cls.__name__} that "
                f"has no default. Missing: {missing}."
            )
        return cls._plan(**arguments)

    @classmethod
    def _plan(cls, **arguments):
        """Returns the `BlockPlan` of arguments, none of them left out."""
        raise NotImplementedError

    @classmethod
    def _defaults(cls):
        """Returns {argument: its default} of the constructor."""
        parameters = inspect.signature(cls.__init__).parameters
        return {
            name: parameter.default
            for name, parameter in parameters.items()
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
            and name != "self"
        }

    def _set_arguments(self, **arguments):
        """Makes attributes of the arguments, and of the sizes they plan."""
        plan = self._plan(**arguments)
        self._argument_names = tuple(arguments)
        for name, value in arguments.items():
            if isinstance(value, list | tuple):
                value = tuple(value)  # JSON has lists alone
            setattr(self, name, value)
        self.image_size = plan.image_size
        self.grid_size = plan.grid_size
        self.stride = plan.stride
        self.num_features = plan.num_features

    def get_config(self):
        """Returns the constructor's arguments."""
        arguments = {name: getattr(self, name) for name in self._argument_names}
        return {**super().get_config(), **arguments}
