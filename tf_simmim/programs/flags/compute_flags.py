"""Flags for how numbers are computed: precision, compilation."""

import tensorflow as tf
from absl import flags

_POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}

_PRECISION = flags.DEFINE_enum(
    "precision",
    "float32",
    list(_POLICIES),
    "Compute layers in this type. Weights, softmax, norms, loss and metrics "
    "are float32 in any case; with float16 the loss is scaled.",
)
JIT_COMPILE = flags.DEFINE_bool(
    "jit_compile",
    False,
    "Compile the forward pass, loss and gradient with XLA, for GPUs and TPUs; "
    "on processors it is no gain.",
)
# A run may be continued with other values of these.
CHANGEABLE = ("jit_compile",)


def set_precision() -> None:
    """Makes --precision Keras' policy; to be called before any model is made.

    The policy of the process rather than an argument of the model, since it
    belongs to the machine: model.json does not name it, weights are float32
    under each, and any run can be evaluated in any precision.
    """
    tf.keras.mixed_precision.set_global_policy(_POLICIES[_PRECISION.value])
