"""Which weights are exempt from weight decay: two published groupings."""

import tensorflow as tf

GROUPINGS = ("reference", "intended")
# What the papers exempt and the reference's code means to.
_INTENDED = (
    "class_token",
    "logit_scale",
    "mask_token",
    "position_embedding",
    "position_hidden_kernel",
    "position_output_kernel",
    "query_token",
    "register_tokens",
    "relative_position_bias_table",
)


def exempt_from_weight_decay(model, grouping: str) -> list[tf.Variable]:
    """Returns the weights of a model that must not decay.

    Both groupings exempt vectors (biases, norms, LayerScale) and differ in
    the weights they exempt by name:

    * "reference": what the reference's code does. It looks for the names of
      relative position bias tables with a prefix that they do not have, so
      these tables decay, as does a ViT's mask token. Take it to repeat the
      published numbers. (In fine-tuning it finds the tables of Swin, but
      not those of ViT.)
    * "intended": what that code means to do: tokens, absolute positions,
      relative position bias tables and what version 2 of Swin has in their
      place, and its logit scales do not decay.

    Args:
        model: a Keras model with a `backbone`, such as `models.SimMIM`.
        grouping: str, one of `GROUPINGS`.

    Returns:
        list of tf.Variable, in the order of `model.trainable_variables`.

    Raises:
        ValueError: `grouping` is unknown.

    Source: https://github.com/microsoft/SimMIM, optimizer.py, and the list of
        undecayed parameters that it prints (issue 15 there).
    """
    if grouping not in GROUPINGS:
        raise ValueError(
            f"`grouping` must be one of {GROUPINGS}. Received: {grouping!r}."
        )
    names = _INTENDED
    if grouping == "reference":
        names = getattr(model, "reference_no_weight_decay", None)
        if names is None:
            names = model.backbone.reference_no_weight_decay
    return [
        variable
        for variable in model.trainable_variables
        if len(variable.shape) == 1 or own_name(variable) in names
    ]


def own_name(variable: tf.Variable) -> str:
    """Returns the last part of a variable's name: `a/kernel:0` -> `kernel`."""
    return variable.name.rsplit("/", 1)[-1].split(":")[0]
