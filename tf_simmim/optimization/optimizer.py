"""Optimizers as SimMIM's recipes use them, built from plain arguments."""

import re

import tensorflow as tf

from tf_simmim import addons
from tf_simmim.optimization import grouped_adamw
from tf_simmim.optimization import layer_decay as layer_decay_lib
from tf_simmim.optimization import weight_decay as weight_decay_lib

OPTIMIZERS = ("adamw", "lamb")


def scale_learning_rate(
    base_learning_rate: float,
    global_batch_size: int,
    reference_batch_size: int = 512,
) -> float:
    """Returns base_learning_rate * global_batch_size / reference_batch_size.

    The reference scales the peak, the warm-up's first and the final rate so;
    its rates are per 512 images (MAE's per 256).
    """
    return base_learning_rate * global_batch_size / reference_batch_size


def create_optimizer(
    name: str,
    model,
    learning_rate,
    weight_decay: float = 0.05,
    weight_decay_grouping: str = "reference",
    clip_global_norm: float | None = 5.0,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float | None = None,
    layer_decay: float | None = None,
    ema_momentum: float | None = None,
):
    """Creates the optimizer of a model. Defaults are SimMIM's reference's.

    AdamW decays by learning rate * `weight_decay`, apart from the gradient.
    LAMB is for global batches of many thousands; weights that do not decay
    are exempt from its layer-wise scaling as well. Both clip the gradient of
    the global batch, after the sum over replicas.

    All state exists when this returns, so that a checkpoint can be restored
    before the first step.

    Args:
        name: "adamw" or "lamb" (of `addons`).
        model: `models.SimMIM` or `models.Classifier`, with the weights that
            training begins with.
        learning_rate: float or a Keras learning-rate schedule.
        weight_decay: float.
        weight_decay_grouping: "reference" or "intended"; see
            `exempt_from_weight_decay`.
        clip_global_norm: float > 0, or None for no clipping.
        beta_1: float. Decay of the first moment.
        beta_2: float. Decay of the second moment.
        epsilon: float. Added to the root of the second moment. Default: 1e-8
            for AdamW as in the reference, 1e-6 for LAMB as in its paper.
        layer_decay: float in (0, 1], or None for the same rate in all layers.
            See `layer_decay_scales`; the first rate of a warm-up and the last
            one of `WarmupCosine` stay those of all layers, as in the
            reference. For AdamW.
        ema_momentum: float in [0, 1), or None for no averages of the weights.
            Averages are for evaluation alone; see `averaged_weights`. For
            AdamW.

    Returns:
        A Keras optimizer, to be passed to `model.compile`.

    Raises:
        ValueError: `name` or `weight_decay_grouping` is unknown, or
            `clip_global_norm` is not positive; `layer_decay` or `ema_momentum`
            is out of its range, or for LAMB.

    Source: Loshchilov and Hutter, Decoupled Weight Decay, 2017,
        https://arxiv.org/abs/1711.05101; You et al., LAMB, 2019,
        https://arxiv.org/abs/1904.00962. Differs from PyTorch's AdamW by the
        place of epsilon: Keras adds it before the bias correction of the
        second moment.
    """
    if clip_global_norm is not None and not clip_global_norm > 0:
        raise ValueError(
            "`clip_global_norm` must be positive, or None for no clipping. "
            f"Received: {clip_global_norm}."
        )
    if ema_momentum is not None and not 0 <= ema_momentum < 1:
        raise ValueError(
            "`ema_momentum` must lie in [0, 1), or be None for no averages. "
            f"Received: {ema_momentum}."
        )
    for argument, value in (
        ("layer_decay", layer_decay),
        ("ema_momentum", ema_momentum),
    ):
        if name == "lamb" and value is not None:
            raise ValueError(
                f'`{argument}` must be None for "lamb". Received: {value}.'
            )
    exempt = weight_decay_lib.exempt_from_weight_decay(
        model, weight_decay_grouping
    )
    if name == "adamw" and (layer_decay, ema_momentum) != (None, None):
        layer_decay = 1.0 if layer_decay is None else layer_decay
        exempt = {variable.ref() for variable in exempt}
        optimizer = grouped_adamw.GroupedAdamW(
            learning_rate,
            layer_decay_lib.layer_decay_scales(model, layer_decay),
            [
                0.0 if variable.ref() in exempt else weight_decay
                for variable in model.trainable_variables
            ],
            layer_decay_lib.rate_without_peak(learning_rate),
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=1e-8 if epsilon is None else epsilon,
            global_clipnorm=clip_global_norm,
            use_ema=ema_momentum is not None,
            ema_momentum=ema_momentum or 0.0,
        )
        optimizer.build(model.trainable_variables)
        return optimizer
    if name == "adamw":
        optimizer = tf.keras.optimizers.AdamW(
            learning_rate,
            weight_decay=weight_decay,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=1e-8 if epsilon is None else epsilon,
            global_clipnorm=clip_global_norm,
        )
        optimizer.exclude_from_weight_decay(var_list=exempt)
        optimizer.build(model.trainable_variables)
        return optimizer
    if name == "lamb":
        # The patterns meet full names: `a/bias:0`, or `a/bias/replica_1:0`.
        names = [re.escape(v.name.split(":")[0]) for v in exempt]
        optimizer = addons.LAMB(
            learning_rate,
            weight_decay=weight_decay,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=1e-6 if epsilon is None else epsilon,
            exclude_from_weight_decay=[
                rf"^{name}(/replica_\d+)?:\d+$" for name in names
            ],
            global_clipnorm=clip_global_norm,
        )
        # Keras' older optimizers, of which this is one, have no `build`.
        optimizer._create_all_weights(model.trainable_variables)
        return optimizer
    raise ValueError(f"`name` must be one of {OPTIMIZERS}. Received: {name!r}.")
