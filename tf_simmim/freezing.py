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


def _parts(layer):
    """Yields (attributes that lead to it, layer) of a layer and all in it.

    Not by their names, of which Keras makes others for each instance.
    """
    seen = set()

    def walk(part, path):
        if id(part) in seen or isinstance(part, tf.keras.metrics.Metric):
            return
        seen.add(id(part))
        if isinstance(part, tf.keras.layers.Layer):
            yield path, part
        for name, child in tf.train.TrackableView.children(part).items():
            yield from walk(child, f"{path}/{name}")

    yield from walk(layer, "")
