"""The layers of a ViT: made from its arguments, and how deep each one lies."""

import tensorflow as tf

from tf_simmim import layers


def add_layers(vit, shapes) -> None:
    """Gives a ViT its layers, in the order of its weights.

    Args:
        vit: ViT, with its arguments as attributes.
        shapes: sequence of BlockShape.
    """
    policy = vit.dtype_policy
    vit.patch_embedding = layers.PatchEmbedding(
        vit.patch_size,
        vit.embed_dim,
        dtype=policy,
        name="patch_embedding",
    )
    vit.mask_token = layers.MaskToken(dtype=policy, name="mask_token")
    if vit.class_token:
        vit.class_token_layer = layers.ClassToken(
            dtype=policy, name="class_token"
        )
    if vit.register_tokens:
        vit.register_tokens_layer = layers.RegisterTokens(
            vit.register_tokens,
            num_first=int(vit.class_token),
            dtype=policy,
            name="register_tokens",
        )
    vit.position_embedding = create_position_embedding(vit)
    vit.relative_position_biases = create_relative_position_biases(vit, shapes)
    vit.blocks = create_blocks(vit, shapes)
    vit.norm = create_norm(vit)


def create_position_embedding(vit):
    """Returns the layer that adds absolute positions, or None."""
    options = {"dtype": vit.dtype_policy, "name": "position_embedding"}
    if vit.absolute_position == "learned":
        return layers.LearnedPositionEmbedding(**options)
    if vit.absolute_position == "sincos":
        return layers.SinCosPositionEmbedding(vit.grid_size, **options)
    return None


def create_relative_position_biases(vit, shapes) -> list:
    """Returns no layer, one for all blocks, or one for each block."""
    num_biases = {"none": 0, "shared": 1, "per_block": vit.depth}
    return [
        layers.RelativePositionBias(
            vit.grid_size,
            shapes[i].num_heads,
            vit.class_token,
            register_tokens=vit.register_tokens,
            dtype=vit.dtype_policy,
            name=f"relative_position_bias_{i}",
        )
        for i in range(num_biases[vit.relative_position])
    ]


def create_blocks(vit, shapes) -> list:
    """Returns the blocks, first to last."""
    return [
        layers.TransformerBlock(
            shape.num_heads,
            mlp_ratio=vit.mlp_ratio,
            qkv_bias=vit.qkv_bias,
            layer_scale_init=vit.layer_scale_init,
            drop_path=vit.drop_path_rate * i / max(vit.depth - 1, 1),
            epsilon=vit.epsilon,
            output_stddev=0.02 / (2.0 * (i + 1)) ** 0.5,
            key_dim=shape.key_dim,
            value_dim=shape.value_dim,
            mlp_dim=shape.mlp_dim,
            attention=shape.attention,
            dtype=vit.dtype_policy,
            name=f"block_{i}",
        )
        for i, shape in enumerate(shapes)
    ]


def create_norm(vit):
    """Returns the final norm, or a layer that changes nothing."""
    options = {"dtype": vit.dtype_policy, "name": "norm"}
    if not vit.final_norm:
        return tf.keras.layers.Activation("linear", **options)
    return tf.keras.layers.LayerNormalization(epsilon=vit.epsilon, **options)


def by_depth(vit) -> list:
    """Returns (depth, layer) of every layer with weights; see `layer_id`."""
    groups = [(0, vit.patch_embedding), (0, vit.mask_token)]
    if vit.class_token:
        groups.append((0, vit.class_token_layer))
    if vit.register_tokens:
        groups.append((0, vit.register_tokens_layer))
    if vit.absolute_position != "none":
        groups.append((0, vit.position_embedding))
    groups += [(i + 1, block) for i, block in enumerate(vit.blocks)]
    shared = vit.relative_position == "shared"
    groups += [
        (vit.depth + 1 if shared else i + 1, bias)
        for i, bias in enumerate(vit.relative_position_biases)
    ]
    groups.append((vit.depth + 1, vit.norm))
    return groups
