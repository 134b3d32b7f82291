"""The ViT that weights are of, read from their names and shapes.

Dimension key:
  C: channels   P: patch_size, px   D: embed_dim   K: num_heads
  h w: grid of patches   M: number of tokens = h*w, + 1 with the class token
"""

from collections.abc import Mapping

import numpy as np

from tf_simmim import backbones
from tf_simmim.convert import shapes
from tf_simmim.convert.model_facts import ModelFacts

_TABLE = "relative_position_bias_table"
# Class to patch, patch to class, class to class.
_CLASS_ROWS = 3


def vit_arguments(
    weights: Mapping[str, np.ndarray], facts: ModelFacts
) -> tuple[dict, dict[str, str]]:
    """Returns the arguments of `backbones.ViT` that weights are of.

    Args:
        weights: {the reference's name, without prefix: array}.
        facts: what the weights may not say: the image size, where there are no
            positions, or they are not square; the heads, where there is no
            table of relative positions.

    Returns:
        (arguments, {argument: where it is from, for those that weights alone
        do not tell}).

    Raises:
        ValueError: the weights are of no such ViT, contradict what is known,
            or do not say enough.
    """
    embed_dim, channels, *patch = shapes.shape_of(
        weights, "patch_embed.proj.weight", 4
    )
    if patch[0] != patch[1]:
        raise ValueError(
            "`weights` must have square patches. Received shape of "
            f"patch_embed.proj.weight: {embed_dim, channels, *patch}."
        )
    hidden, _ = shapes.shape_of(weights, "blocks.0.mlp.fc1.weight", 2)
    arguments = {
        "patch_size": patch[0],
        "embed_dim": embed_dim,
        "depth": shapes.count(weights, "blocks.", ".norm1.weight"),
        "channels": channels,
        "mlp_ratio": hidden / embed_dim,
        "qkv_bias": _qkv_bias(weights),
        "absolute_position": "none",
        "relative_position": "none",
        "layer_scale_init": 0.1 if "blocks.0.gamma_1" in weights else None,
        "class_token": "cls_token" in weights,
        # In its place, fine-tuned models have a norm behind the mean.
        "final_norm": "norm.weight" in weights
        or "fc_norm.weight" not in weights,
    }
    table_name = None
    for kind, name in (
        ("shared", f"rel_pos_bias.{_TABLE}"),
        ("per_block", f"blocks.0.attn.{_TABLE}"),
    ):
        if name in weights:
            arguments["relative_position"], table_name = kind, name
    notes = {}
    arguments["absolute_position"] = _absolute_position(
        weights, facts, table_name, notes
    )
    grid = _grid(weights, facts, arguments, table_name, notes)
    arguments["image_size"] = tuple(side * patch[0] for side in grid)
    arguments["num_heads"] = _num_heads(
        weights, facts, arguments, table_name, notes
    )
    arguments["epsilon"] = facts.epsilon or 1e-6
    if not facts.epsilon:
        notes["epsilon"] = (
            "1e-6 as in the reference and timm; no weight tells it"
        )
    return arguments, notes


def _qkv_bias(weights):
    if "blocks.0.attn.qkv.bias" in weights:
        return "query_key_value"
    return "query_value" if "blocks.0.attn.q_bias" in weights else "none"


def _absolute_position(weights, facts, table_name, notes):
    """Returns which positions are added, and refuses to do without any."""
    given = facts.absolute_position
    if "pos_embed" in weights or given == "learned":
        if given not in (None, "learned") or "pos_embed" not in weights:
            raise ValueError(
                "`absolute_position` must be that of the weights, which "
                f"{'hold' if 'pos_embed' in weights else 'lack'} pos_embed. "
                f"Received: {given!r}."
            )
        return "learned"
    if given is not None:
        notes["absolute_position"] = "as given; no weight tells it"
        return given
    if table_name is None:
        raise ValueError(
            "`weights` must hold positions. These hold none, as of a network "
            "with rotary positions (DINOv3), which no backbone here has: "
            "without them its features are lost. absolute_position='none' "
            "makes a ViT without any all the same, 'sincos' one with fixed "
            "ones. Received names: neither pos_embed nor a table of relative "
            "positions."
        )
    return "none"


def _grid(weights, facts, arguments, table_name, notes):
    """Returns (h, w), which positions and what is known must agree on."""
    patch, image = arguments["patch_size"], facts.size("image_size")
    expected = None
    if image is not None:
        if image[0] % patch or image[1] % patch:
            raise ValueError(
                "`image_size` must be a multiple of the weights' patches of "
                f"{patch} px. Received: {image[0]}x{image[1]}."
            )
        expected = (image[0] // patch, image[1] // patch)
    found = []
    if "pos_embed" in weights:
        _, num_tokens, _ = shapes.shape_of(weights, "pos_embed", 3)
        num_patches = num_tokens - arguments["class_token"]
        side = shapes.square_side(num_patches)
        if expected is None and side:
            found.append(("pos_embed", (side, side)))
        elif expected is not None and expected[0] * expected[1] == num_patches:
            found.append(("pos_embed", expected))
        else:
            found.append(("pos_embed", None))
    if table_name is not None:
        num_rows, _ = shapes.shape_of(weights, table_name, 2)
        num_rows -= _CLASS_ROWS * arguments["class_token"]
        found.append((table_name, shapes.table_window(num_rows, expected)))
    for name, grid in found:
        if grid is None or grid != found[0][1]:
            raise ValueError(
                "`image_size` must be that of the weights' positions; give it "
                "where the images are not square. (Another size is for "
                "`transfer_weights`, afterwards.) Received: "
                f"{facts.image_size}, and {name} of shape "
                f"{np.shape(weights[name])} for patches of {patch} px."
            )
    if not found and expected is None:
        raise ValueError(
            "`image_size` must be given: the weights hold no positions, which "
            "would tell it. Received: None."
        )
    if not found:
        notes["image_size"] = "as given; no weight depends on it"
        return expected
    if expected is None:
        notes["image_size"] = f"of {found[0][0]}, taken to be square"
    return found[0][1]


def _num_heads(weights, facts, arguments, table_name, notes):
    if table_name is not None:
        _, num_heads = shapes.shape_of(weights, table_name, 2)
        if facts.num_heads not in (None, num_heads):
            raise ValueError(
                f"`num_heads` must be the {num_heads} of {table_name}. "
                f"Received: {facts.num_heads}."
            )
        return num_heads
    if facts.num_heads is not None:
        notes["num_heads"] = "as given; no weight tells it"
        return facts.num_heads
    sizes = {name: arguments[name] for name in ("embed_dim", "depth")}
    for preset, values in backbones.PRESETS.items():
        if sizes.items() <= values.items():
            notes["num_heads"] = (
                f"of the preset {preset}, whose width and depth these are; no "
                "weight tells it"
            )
            return values["num_heads"]
    raise ValueError(
        "`num_heads` must be given: without a table of relative positions no "
        f"weight tells it, and no preset has the width {sizes['embed_dim']} "
        f"and the depth {sizes['depth']}. Received: None."
    )
