"""A word to who looks for the tensors of a network that has none."""


class Unconnected:
    """A mixin for a backbone and its blocks, which no functional model is of.

    `tf.keras.Model(backbone.input, backbone.get_layer("block_3").output)` is
    how features are taken from inside of Keras' own networks.
    """

    @property
    def input(self):
        """The layer's input, if it was called on a `tf.keras.Input`."""
        return self._symbolic("input")

    @property
    def output(self):
        """Its output, likewise."""
        return self._symbolic("output")

    def _symbolic(self, name):
        try:
            return getattr(super(), name)
        except AttributeError as error:
            raise AttributeError(
                f"{self.name} has no `{name}`: backbones are no functional "
                "models of Keras, and features from inside of them are had by "
                "`backbone.block_features(images, blocks=[3])`, "
                "`backbone.pyramid(images)` or `backbone.taps(images, "
                '["block_3/keys"])`, also on a `tf.keras.Input`.'
            ) from error
