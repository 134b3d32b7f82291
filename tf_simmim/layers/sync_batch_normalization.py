"""Batch normalisation over the whole global batch, whatever its replicas.

Dimension key:
  B: replica batch   h w: feature map   D: features
"""

import tensorflow as tf


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class SyncBatchNormalization(tf.keras.layers.Layer):
    """Normalises each feature by its mean and variance over the global batch.

        y = gamma * (x - mean) / sqrt(variance + epsilon) + beta

    In training, `mean` and `variance` (biased) are those of all images of all
    replicas, and

        moving = momentum * moving + (1 - momentum) * batch statistic

    Otherwise they are the moving ones. Computed in float32 under every
    precision.

    Keras' own layer with `synchronized=True` has the same weights, but takes
    the variance as E[x^2] - E[x]^2, which float32 can round below zero where
    the mean is large; it loses the option in its config; and its fused form
    for one replica keeps another variance (unbiased) than that for many.

    Args:
        momentum: float in [0, 1). Weight of the old moving statistic; 0.99 as
            in Keras.
        epsilon: float > 0. Added to the variance; 1e-3 as in Keras, 1.001e-5
            in its ResNets.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        inputs: float [B, h, w, D], or [..., D]; B is the same on every
            replica.
        training: bool. A frozen layer (`trainable = False`) is called as in
            evaluation whatever it is, as Keras' own.

    Returns:
        float, the shape of `inputs`, in the layer's compute dtype.

    Raises:
        ValueError: `momentum` or `epsilon` is out of range; or the layer is
            called in training on several replicas inside a function that XLA
            compiles, where replicas cannot meet.

    State: `moving_mean` and `moving_variance`, float32 [D], change in every
        training call, also of a step that is skipped later: what takes such
        steps must put them back, see `optimization.ForwardState`.

    Source: Ioffe and Szegedy, Batch Normalization, 2015,
        https://arxiv.org/abs/1502.03167.
    """

    def __init__(self, momentum=0.99, epsilon=1e-3, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= momentum < 1 or epsilon <= 0:
            raise ValueError(
                "`momentum` must lie in [0, 1) and `epsilon` be positive. "
                f"Received: momentum={momentum}, epsilon={epsilon}."
            )
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, input_shape):
        def add(name, initializer, **kwargs):
            return self.add_weight(
                name=name,
                shape=input_shape[-1:],
                initializer=initializer,
                experimental_autocast=False,
                **kwargs,
            )

        # Each replica writes its own copy; all of them write the same.
        moving = dict(
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.MEAN,
        )
        self.gamma = add("gamma", "ones")
        self.beta = add("beta", "zeros")
        self.moving_mean = add("moving_mean", "zeros", **moving)
        self.moving_variance = add("moving_variance", "ones", **moving)
        super().build(input_shape)

    def call(self, inputs, training=None):
        x = tf.cast(inputs, tf.float32)
        mean, variance = self.moving_mean, self.moving_variance
        if training and self.trainable:
            axes = list(range(len(x.shape) - 1))
            mean, variance = self._over_replicas(*tf.nn.moments(x, axes))
            for moving, batch in (
                (self.moving_mean, mean),
                (self.moving_variance, variance),
            ):
                moving.assign_add((1 - self.momentum) * (batch - moving))
        y = tf.nn.batch_normalization(
            x, mean, variance, self.beta, self.gamma, self.epsilon
        )
        return tf.cast(y, self.compute_dtype)  # [B, h, w, D]

    def _over_replicas(self, mean, variance):
        """Returns the statistics of all replicas from those of each."""
        replicas = tf.distribute.get_replica_context()
        if replicas is None or replicas.num_replicas_in_sync == 1:
            return mean, variance
        # Measured from a point near the mean, so that little is lost in the
        # difference of squares.
        origin = tf.identity(self.moving_mean)
        offset = mean - origin
        local = tf.stack([offset, variance + tf.square(offset)])
        try:
            both = replicas.all_reduce(tf.distribute.ReduceOp.MEAN, local)
        except RuntimeError as error:
            raise ValueError(
                "Batch normalisation over several replicas cannot be compiled "
                "by XLA: train this backbone without `jit_compile`, or on one "
                f"replica. Received: {replicas.num_replicas_in_sync} replicas."
            ) from error
        offset, square = tf.unstack(both)
        return origin + offset, square - tf.square(offset)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }
