"""Classification head: the mean of a feature map, and one linear layer.

Dimension key:
  B: batch   h w: feature map   D: num_features   L: num_classes
"""

import tensorflow as tf

from tf_simmim import layers


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class ClassificationHead(tf.keras.layers.Layer):
    """Gives every class a score, from the mean of the feature map.

        z[b] = mean of features[b, r, c] over all cells (r, c)
        y[b] = norm(z[b]) W + b,   W: D x L

    with a layer norm of its own where `normalize` is set, and none elsewhere.
    It computes in float32 under every precision: it is small, and the loss is
    computed from it.

    Args:
        num_classes: int >= 2, L.
        normalize: bool. For features that have no final norm yet, such as
            those of `ViT(final_norm=False)`.
        stddev: float > 0. Spread of the initial kernel; 0.02 in the
            reference's Swin. Its ViT has 2e-5, so that the first loss is that
            of a guess, log(L).
        epsilon: float. Of the norm; 1e-6 in the reference's ViT.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        features: float [B, h, w, D].

    Returns:
        float32 [B, L]: logits.

    Raises:
        ValueError: `num_classes` is below 2, or `features` are no map.

    Source: the reference code of Xie et al., SimMIM, 2021,
        https://arxiv.org/abs/2111.09886, models/vision_transformer.py
        (`fc_norm`, `head`) and models/swin_transformer.py.
    """

    def __init__(
        self, num_classes, normalize=False, stddev=0.02, epsilon=1e-6, **kwargs
    ):
        super().__init__(**kwargs)
        if num_classes < 2:
            raise ValueError(
                f"`num_classes` must be at least 2. Received: {num_classes}."
            )
        self.num_classes = num_classes
        self.normalize = normalize
        self.stddev = stddev
        self.epsilon = epsilon
        self.norm = None
        if normalize:
            self.norm = tf.keras.layers.LayerNormalization(
                epsilon=epsilon, dtype="float32", name="norm"
            )
        self.linear = tf.keras.layers.Dense(
            num_classes,
            # Two standard deviations in absolute terms: not cut at all.
            kernel_initializer=layers.TruncatedNormal(stddev, bound=5.0),
            dtype="float32",
            name="linear",
        )

    def call(self, features):
        return self.linear(self.pool(features))  # [B, L]

    def pool(self, features):
        """Returns what the linear layer sees.

        Args:
            features: float [B, h, w, D].

        Returns:
            float32 [B, D]: the mean, after the norm if there is one.
        """
        if len(features.shape) != 4:
            raise ValueError(
                "`features` must be [batch, height, width, num_features]. "
                f"Received shape: {tuple(features.shape)}."
            )
        pooled = tf.reduce_mean(tf.cast(features, tf.float32), axis=[1, 2])
        return pooled if self.norm is None else self.norm(pooled)  # [B, D]

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "normalize": self.normalize,
            "stddev": self.stddev,
            "epsilon": self.epsilon,
        }
