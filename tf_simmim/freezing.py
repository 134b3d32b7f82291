"""Which parts of a network are frozen, kept where Keras saves a model.

Keras keeps `trainable` of each layer that a functional model names; of layers
inside a model of its own class, it keeps nothing.
"""

import tensorflow as tf

_KEY = "frozen"


class KeepsFrozen:
    """A mixin for Keras models: saving keeps which parts are frozen.

    It is no argument, and so stands beside the configuration, with what Keras
    keeps to build the model.
    """

    def get_build_config(self):
        """Returns what Keras builds the model with, and the frozen parts."""
        config = super().get_build_config()
        frozen = [path for path, part in _parts(self) if not part.trainable]
        return {**(config or {}), _KEY: frozen} if frozen else config

    def build_from_config(self, config):
        """Builds the model as Keras does, and freezes its parts."""
        config = dict(config)
        frozen = config.pop(_KEY, None)
        if config:
            super().build_from_config(config)
        if frozen is not None:
            # Outermost first, since each takes its inner ones along.
            for path, part in _parts(self):
                part.trainable = path not in frozen


def _parts(layer, path=""):
    """Yields (names from the outermost on, layer) of a layer and all in it."""
    yield path, layer
    for part in layer._flatten_layers(recursive=False, include_self=False):
        if not isinstance(part, tf.keras.metrics.Metric):
            yield from _parts(part, f"{path}/{part.name}")
