"""The weights inside of a transformer's block, apart from each other.

Dimension key:
  D: width of the tokens   K: num_heads   E: width of one head's queries and
  keys   V: that of its values   Q: hidden width of the MLP
"""

import numpy as np

_BIASES = {
    "query_value": {"query": ("query_bias",), "value": ("value_bias",)},
    "query_key_value": {"qkv": ("query_bias", "key_bias", "value_bias")},
    "none": {},
}


def read(block) -> dict[str, np.ndarray]:
    """Returns the weights of a block's attention and MLP, in float64.

    Args:
        block: `layers.TransformerBlock`, `SwinBlock` or `SwinV2Block`.

    Returns:
        dict: `query_kernel` and `key_kernel` [D, K, E], `value_kernel`
        [D, K, V], and of those that the block has `query_bias`, `key_bias`
        [K, E] and `value_bias` [K, V]; `output_kernel` [K, V, D] and
        `output_bias` [D]; `expand_kernel` [D, Q], `expand_bias` [Q],
        `project_kernel` [Q, D], `project_bias` [D].
    """
    attention, mlp = block.attention, block.mlp
    num_heads = attention.num_heads
    kernel = attention.qkv_kernel.numpy().astype(np.float64)
    output = attention.projection.kernel.numpy().astype(np.float64)
    values = len(output)
    keys = (kernel.shape[1] - values) // 2
    widths = {"query": keys, "key": keys, "value": values}
    found = {}
    parts = np.split(kernel, [keys, 2 * keys], axis=1)
    for name, part in zip(widths, parts, strict=True):
        found[f"{name}_kernel"] = part.reshape(len(part), num_heads, -1)
    for variable, names in _BIASES[attention.qkv_bias].items():
        bias = attention.biases[variable].numpy().astype(np.float64)
        ends = np.cumsum([widths[name.partition("_")[0]] for name in names])
        for name, part in zip(names, np.split(bias, ends[:-1]), strict=True):
            found[name] = part.reshape(num_heads, -1)
    found["output_kernel"] = output.reshape(num_heads, -1, output.shape[-1])
    found["output_bias"] = attention.projection.bias.numpy()
    for name in ("expand", "project"):
        layer = getattr(mlp, name)
        found[f"{name}_kernel"] = layer.kernel.numpy()
        found[f"{name}_bias"] = layer.bias.numpy()
    return {name: array.astype(np.float64) for name, array in found.items()}


def write(block, weights) -> None:
    """Sets the weights of a block, of whatever widths it has.

    Args:
        block: as of `read`.
        weights: dict as of `read`, whole.
    """
    attention, mlp = block.attention, block.mlp
    flat = {
        name: _flat(weights[f"{name}_kernel"])
        for name in ("query", "key", "value")
    }
    attention.qkv_kernel.assign(np.concatenate(list(flat.values()), axis=1))
    for variable, names in _BIASES[attention.qkv_bias].items():
        bias = np.concatenate([weights[name].reshape(-1) for name in names])
        attention.biases[variable].assign(bias)
    output = weights["output_kernel"]
    attention.projection.kernel.assign(output.reshape(-1, output.shape[-1]))
    attention.projection.bias.assign(weights["output_bias"])
    for name in ("expand", "project"):
        layer = getattr(mlp, name)
        layer.kernel.assign(weights[f"{name}_kernel"])
        layer.bias.assign(weights[f"{name}_bias"])


def of_backbone(backbone) -> list:
    """Returns the blocks of a `ViT` or `Swin`, through all stages."""
    if hasattr(backbone, "stages"):
        return [block for stage in backbone.stages for block in stage]
    return list(backbone.blocks)


def output_scales(block) -> tuple[np.ndarray, np.ndarray]:
    """Returns what multiplies what attention and MLP give, float64 [D] each.

    LayerScale's factors, or the gains of the norms behind the branches of a
    `SwinV2Block`; ones without either.
    """
    if hasattr(block, "attention_scale"):
        scales = block.attention_scale.gamma, block.mlp_scale.gamma
    elif hasattr(block.attention, "logit_scale"):
        scales = block.attention_norm.gamma, block.mlp_norm.gamma
    else:
        return (np.ones(block.attention.projection.units),) * 2
    return tuple(scale.numpy().astype(np.float64) for scale in scales)


def _flat(kernel):
    return kernel.reshape(len(kernel), -1)
