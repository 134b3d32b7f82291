"""AdamW with a learning rate and a weight decay for each variable."""

import tensorflow as tf


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class GroupedAdamW(tf.keras.optimizers.AdamW):
    """AdamW for fine-tuning: parameter groups, and averages that stay apart.

    Variable i, with scale s and weight decay d, is updated by

        rate = s * learning_rate(t) + (1 - s) * shared_learning_rate(t)
        x = x - rate * d * x
        x = x - rate * m / (sqrt(v) + epsilon)

    with Adam's m and v, as Keras corrects them. So a weight's decay follows
    its own learning rate, as in the reference. With scales of 1 and equal
    decays this is `tf.keras.optimizers.AdamW`.

    With `use_ema`, the averages a = ema_momentum * a + (1 - ema_momentum) * x
    begin as the weights are when the optimizer is built: load pretrained
    weights before that. Unlike Keras' other optimizers this one does not
    overwrite the weights with them when `fit` is over, so that training can
    go on; see `averaged_weights`.

    Args:
        learning_rate: float or a Keras learning-rate schedule.
        learning_rate_scales: sequence of float, one a variable, in the order
            that `build` gets them.
        weight_decays: sequence of float, likewise.
        shared_learning_rate: a Keras learning-rate schedule, or None for 0.
        **kwargs: of `tf.keras.optimizers.AdamW`, but for `weight_decay`.

    Raises:
        ValueError: `learning_rate_scales` and `weight_decays` differ in
            length, or `build` gets another number of variables.

    Attributes:
        averages: list of tf.Variable, in order; empty without `use_ema`.

    State: that of `tf.keras.optimizers.AdamW`, and the shared rate of the
        latest update. `learning_rate` is that of a scale of 1.
    """

    def __init__(
        self,
        learning_rate,
        learning_rate_scales,
        weight_decays,
        shared_learning_rate=None,
        name="GroupedAdamW",
        **kwargs,
    ):
        if len(learning_rate_scales) != len(weight_decays):
            raise ValueError(
                "`learning_rate_scales` and `weight_decays` must have one "
                f"number a variable. Received: {len(learning_rate_scales)} "
                f"and {len(weight_decays)} numbers."
            )
        self._scale = 1.0  # of the variable that is being updated
        self.averages = []
        super().__init__(learning_rate, name=name, **kwargs)
        # Decay is that of a group, and made in `update_step`.
        self.exclude_from_weight_decay(var_names=[""])
        self.learning_rate_scales = tuple(learning_rate_scales)
        self.weight_decays = tuple(weight_decays)
        self.shared_learning_rate = shared_learning_rate
        self._shared_rate = tf.Variable(
            0.0, name="shared_learning_rate", trainable=False
        )

    def build(self, var_list):
        """Creates all state."""
        num_variables = len(list(var_list))
        if num_variables != len(self.learning_rate_scales):
            raise ValueError(
                "`var_list` must have one variable for each of "
                f"{len(self.learning_rate_scales)} learning rates. "
                f"Received: {num_variables} variables."
            )
        super().build(var_list)
        if self.use_ema and not self.averages:
            # By a name of ours, which checkpoints know it by.
            self.averages = list(self._model_variables_moving_average)

    @property
    def learning_rate(self):
        """Rate of the latest update, for the group that is being updated."""
        rate = super().learning_rate
        if self._scale == 1.0:
            return rate
        return self._scale * rate + (1.0 - self._scale) * self._shared_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        tf.keras.optimizers.AdamW.learning_rate.fset(self, learning_rate)

    def apply_gradients(self, grads_and_vars, *args, **kwargs):
        """Updates variables, as `tf.keras.optimizers.AdamW` does."""
        if self.shared_learning_rate is not None:
            self._shared_rate.assign(self.shared_learning_rate(self.iterations))
        return super().apply_gradients(grads_and_vars, *args, **kwargs)

    def update_step(self, gradient, variable):
        """Updates one variable at the rate of its group."""
        index = self._index_dict[self._var_key(variable)]
        decay = self.weight_decays[index]
        self._scale = self.learning_rate_scales[index]
        try:
            if decay:
                rate = tf.cast(self.learning_rate, variable.dtype)
                variable.assign_sub(variable * decay * rate)
            super().update_step(gradient, variable)
        finally:
            self._scale = 1.0

    def finalize_variable_values(self, var_list):
        """Does nothing, on purpose; see the class."""

    def get_config(self):
        """Returns the constructor arguments."""
        config = super().get_config()
        del config["weight_decay"]
        shared = self.shared_learning_rate
        if shared is not None:
            shared = tf.keras.optimizers.schedules.serialize(shared)
        return {
            **config,
            "learning_rate_scales": list(self.learning_rate_scales),
            "weight_decays": list(self.weight_decays),
            "shared_learning_rate": shared,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Recreates the optimizer, and its schedules, from `get_config`."""
        config = dict(config)
        if isinstance(config["shared_learning_rate"], dict):
            config["shared_learning_rate"] = (
                tf.keras.optimizers.schedules.deserialize(
                    config["shared_learning_rate"], custom_objects
                )
            )
        return super().from_config(config, custom_objects)
