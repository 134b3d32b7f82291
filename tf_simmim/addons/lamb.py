"""LAMB, for Python versions that tensorflow-addons does not run on."""

import re

import tensorflow as tf


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class LAMB(tf.keras.optimizers.legacy.Optimizer):
    """Adam, whose update of each variable is as long as the variable itself.

    For variable `w`, gradient `g` and step `t = 1, 2, ...`:

        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g^2
        u = m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon)
            + weight_decay * w
        w = w - learning_rate * (|w| / |u|) * u

    where |.| is the L2 norm of the whole variable, and the ratio is 1 where
    either is 0. A variable exempt from weight decay has neither that term nor
    the ratio. Slots `m` and `v` and the settings have the names, and each step
    the bits, of tensorflow-addons' class of this name, so that checkpoints of
    either restore the other.

    Args:
        learning_rate: float or a Keras learning-rate schedule.
        beta_1: float in [0, 1). Decay of the first moment.
        beta_2: float in [0, 1). Decay of the second moment.
        epsilon: float > 0. Added to the root of the second moment.
        weight_decay: float >= 0, apart from the gradient.
        exclude_from_weight_decay: list of str, regular expressions that are
            searched for in a variable's full name (`a/bias:0`); or None.
        name: str.
        **kwargs: passed to `tf.keras.optimizers.legacy.Optimizer`
            (`global_clipnorm`, ...).

    Defaults are those of the paper's section 4 and of tensorflow-addons.
    Checkpoints of either restore the other; configurations do not.

    Source: You et al., LAMB, 2019, https://arxiv.org/abs/1904.00962,
        algorithm 2. As tensorflow-addons does, differs from the paper: the
        function phi of the norm is the norm itself, and what is exempt from
        weight decay is exempt from the ratio as well.
    """

    def __init__(
        self,
        learning_rate=0.001,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-6,
        weight_decay=0.0,
        exclude_from_weight_decay=None,
        name="LAMB",
        **kwargs,
    ):
        super().__init__(name, **kwargs)
        self._set_hyper("weight_decay", weight_decay)
        self._set_hyper("learning_rate", learning_rate)
        self._set_hyper("decay", self._initial_decay)
        self._set_hyper("beta_1", beta_1)
        self._set_hyper("beta_2", beta_2)
        self.epsilon = epsilon
        self.exclude_from_weight_decay = exclude_from_weight_decay

    def _create_slots(self, var_list):
        for slot in ("m", "v"):
            for variable in var_list:
                self.add_slot(variable, slot)

    def _prepare_local(self, var_device, var_dtype, apply_state):
        super()._prepare_local(var_device, var_dtype, apply_state)
        step = tf.cast(self.iterations + 1, var_dtype)
        beta_1 = tf.identity(self._get_hyper("beta_1", var_dtype))
        beta_2 = tf.identity(self._get_hyper("beta_2", var_dtype))
        apply_state[var_device, var_dtype].update(
            beta_1=beta_1,
            beta_2=beta_2,
            beta_1_power=tf.pow(beta_1, step),
            beta_2_power=tf.pow(beta_2, step),
            weight_decay=tf.identity(
                self._get_hyper("weight_decay", var_dtype)
            ),
            epsilon=tf.convert_to_tensor(self.epsilon, var_dtype),
        )

    def _resource_apply_dense(self, grad, var, apply_state=None):
        key = var.device, var.dtype.base_dtype
        settings = (apply_state or {}).get(key)
        settings = settings or self._fallback_apply_state(*key)
        first = self._move(var, "m", grad, settings["beta_1"])
        second = self._move(var, "v", grad * grad, settings["beta_2"])
        first = first / (1.0 - settings["beta_1_power"])
        second = second / (1.0 - settings["beta_2_power"])
        update = first / (tf.sqrt(second) + settings["epsilon"])
        ratio = 1.0
        if not self._is_exempt(var):
            update += settings["weight_decay"] * var
            ratio = _ratio(tf.norm(var), tf.norm(update))
        # The order of the products is part of the bits.
        return var.assign(
            var - ratio * settings["lr_t"] * update,
            use_locking=self._use_locking,
        )

    def _resource_apply_sparse(self, grad, var, indices, apply_state=None):
        # Rows without a gradient decay as well.
        slices = tf.IndexedSlices(grad, indices, tf.shape(var))
        return self._resource_apply_dense(
            tf.convert_to_tensor(slices), var, apply_state
        )

    def _move(self, variable, name, towards, beta):
        """Moves a slot towards a value, and returns what it is now."""
        slot = self.get_slot(variable, name)
        return slot.assign(
            slot * beta + towards * (1 - beta), use_locking=self._use_locking
        )

    def _is_exempt(self, variable):
        patterns = self.exclude_from_weight_decay or ()
        return any(re.search(each, variable.name) for each in patterns)

    def get_config(self):
        settings = (
            "learning_rate",
            "decay",
            "beta_1",
            "beta_2",
            "weight_decay",
        )
        return {
            **super().get_config(),
            **{name: self._serialize_hyperparameter(name) for name in settings},
            "epsilon": self.epsilon,
            "exclude_from_weight_decay": self.exclude_from_weight_decay,
        }


def _ratio(variable_norm, update_norm):
    ratio = tf.where(update_norm > 0, variable_norm / update_norm, 1.0)
    return tf.where(variable_norm > 0, ratio, 1.0)
