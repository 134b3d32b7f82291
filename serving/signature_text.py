"""Signatures as values of JSON, for people and for programs."""

import tensorflow as tf


def describe(signature) -> dict:
    """Returns what a signature takes and gives.

    Args:
        signature: `SignatureDef`.

    Returns:
        {"inputs": {alias: tensor}, "outputs": {alias: tensor}}, where a
        tensor is {"dtype": str, "shape": list of int or None}; -1 stands for
        any size, None for any rank.
    """
    return {
        side: {
            alias: _describe_tensor(info)
            for alias, info in sorted(getattr(signature, side).items())
        }
        for side in ("inputs", "outputs")
    }


def _describe_tensor(info):
    shape = None
    if not info.tensor_shape.unknown_rank:
        shape = [dim.size for dim in info.tensor_shape.dim]
    return {"dtype": tf.as_dtype(info.dtype).name, "shape": shape}
