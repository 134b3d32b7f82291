"""The Swin that weights are of, read from their names and shapes.

Dimension key:
  C: channels   P: patch_size, px   D: embed_dim   K: num_heads
  s: stage, whose map is (H / P / 2^s, W / P / 2^s)
  R: rows of a table = (2h - 1)(2w - 1) of the stage's window h, w
"""

import re
from collections.abc import Mapping

import numpy as np

from tf_simmim.convert import shapes
from tf_simmim.convert.model_facts import ModelFacts

# Version 2 scales offsets to 8 at the far end of a window, and then takes
# log2(1 + offset) / log2(8).
_LARGEST_COORDINATE = np.log2(9.0) / 3.0


def swin_arguments(
    weights: Mapping[str, np.ndarray],
    constants: Mapping[str, np.ndarray],
    facts: ModelFacts,
) -> tuple[dict, dict[str, str]]:
    """Returns the arguments of `backbones.Swin` that weights are of.

    A window is cut to a map that is smaller. So a stage with a smaller table
    than others tells the size of its map, and the image's with it. Where all
    tables are alike, the image is taken to be the smallest that has a whole
    window in the last stage, as in every published Swin: 7 cells for 224 px.

    Args:
        weights: {the reference's name, without prefix: array}.
        constants: the same for what is no weight but tells sizes, e.g.
            `layers.0.blocks.1.attn_mask`.
        facts: what the weights may not say.

    Returns:
        (arguments, {argument: where it is from, for those that weights alone
        do not tell}).

    Raises:
        ValueError: the weights are of no such Swin, contradict what is known,
            or do not say enough.
    """
    for name in ("num_heads", "absolute_position"):
        value = getattr(facts, name)
        if value is not None:
            raise ValueError(
                f"`{name}` must be None for a Swin, whose weights tell it. "
                f"Received: {value}."
            )
    embed_dim, channels, *patch = shapes.shape_of(
        weights, "patch_embed.proj.weight", 4
    )
    num_stages = shapes.count(weights, "layers.", ".blocks.0.attn.proj.weight")
    depths = tuple(
        shapes.count(weights, f"layers.{stage}.blocks.", ".norm1.weight")
        for stage in range(num_stages)
    )
    first = "layers.0.blocks.0"
    hidden, _ = shapes.shape_of(weights, f"{first}.mlp.fc1.weight", 2)
    version = 2 if f"{first}.attn.logit_scale" in weights else 1
    arguments = {
        "patch_size": patch[0],
        "embed_dim": embed_dim,
        "depths": depths,
        "num_heads": _num_heads(weights, num_stages, version),
        "channels": channels,
        "mlp_ratio": hidden / embed_dim,
        "version": version,
    }
    biases = {1: "qkv.bias", 2: "q_bias"}
    if f"{first}.attn.{biases[version]}" not in weights:
        arguments["qkv_bias"] = "none"
    if patch[0] != patch[1]:
        raise ValueError(
            "`weights` must have square patches. Received shape of "
            f"patch_embed.proj.weight: {embed_dim, channels, *patch}."
        )
    notes = {}
    if version == 2:
        windows = _stage_windows_v2(constants, num_stages, patch[0], facts)
    else:
        windows = _stage_windows(weights, num_stages, facts)
    window = tuple(max(sides) for sides in zip(*windows, strict=True))
    if facts.size("window_size") not in (None, window):
        raise ValueError(
            "`window_size` must be that of the weights, "
            f"{window[0]}x{window[1]} cells. Received: {facts.window_size}."
        )
    arguments["window_size"] = window
    arguments["image_size"] = _image_size(
        windows, constants, patch[0], facts, notes
    )
    _require_fitting(windows, arguments)
    padded = _padded_stages(windows, arguments)
    if padded:
        notes["window_size"] = (
            f"does not divide the maps of stages {padded}: there the padding "
            "takes part in the attention of timm and Hugging Face, and does "
            "not here, so that features differ"
        )
    arguments["epsilon"] = facts.epsilon or 1e-5
    if not facts.epsilon:
        notes["epsilon"] = "1e-5 as everywhere; no weight tells it"
    return arguments, notes


def _num_heads(weights, num_stages, version):
    """Returns K of each stage: columns of its table, or its logit scales."""
    heads = []
    for stage in range(num_stages):
        name = f"layers.{stage}.blocks.0.attn."
        if version == 1:
            name += "relative_position_bias_table"
            heads.append(shapes.shape_of(weights, name, 2)[1])
        else:
            name += "logit_scale"
            heads.append(shapes.shape_of(weights, name, 3)[0])
    return tuple(heads)


def _stage_windows(weights, num_stages, facts):
    """Returns (h, w) of each stage's window, cut where its map is smaller."""
    windows = []
    for stage in range(num_stages):
        name = f"layers.{stage}.blocks.0.attn.relative_position_bias_table"
        num_rows, _ = shapes.shape_of(weights, name, 2)
        window = shapes.table_window(num_rows, None)
        if window is None:
            window = shapes.table_window(num_rows, facts.size("window_size"))
        if window is None:
            raise ValueError(
                "`window_size` must be that of the weights; give it where "
                f"windows are not square. Received: {facts.window_size}, and "
                f"{name} with {num_rows} rows."
            )
        windows.append(window)
    return windows


def _stage_windows_v2(constants, num_stages, patch_size, facts):
    """Does the same by the coordinates that version 2 computes biases of."""
    names = [
        f"layers.{stage}.blocks.0.attn.relative_coords_table"
        for stage in range(num_stages)
    ]
    if not all(np.ndim(constants.get(name)) == 4 for name in names):
        if facts.window_size is None or facts.image_size is None:
            raise ValueError(
                "`window_size` and `image_size` must be given: these weights "
                "of a Swin of version 2 do not tell them. Received: "
                f"{facts.window_size}, {facts.image_size}."
            )
        grids = [
            [
                side // patch_size // 2**stage
                for side in facts.size("image_size")
            ]
            for stage in range(num_stages)
        ]
        return [
            tuple(map(min, grid, facts.size("window_size"))) for grid in grids
        ]
    windows = []
    for name in names:
        _, rows, columns, _ = np.shape(constants[name])  # [1, 2h-1, 2w-1, 2]
        largest = np.abs(constants[name]).max()
        if rows > 1 and not np.isclose(largest, _LARGEST_COORDINATE, 1e-3):
            raise ValueError(
                "`weights` must be of a Swin of version 2 whose window is that "
                "of its pretraining; this one stretches the positions of "
                f"another. Received: {name} up to {largest:.4f}, needed "
                f"{_LARGEST_COORDINATE:.4f}."
            )
        windows.append(((rows + 1) // 2, (columns + 1) // 2))
    return windows


def _image_size(windows, constants, patch, facts, notes):
    """Returns (height, width), px."""
    if facts.image_size is not None:
        return facts.size("image_size")
    for name, array in constants.items():
        match = re.fullmatch(r"layers\.(\d+)\.blocks\.\d+\.attn_mask", name)
        if match and np.ndim(array) == 3 and int(match[1]) < len(windows):
            stage = int(match[1])
            side = shapes.square_side(len(array))  # windows along the map
            if side:
                notes["image_size"] = f"of {name}, taken to be square"
                scale = side * patch * 2**stage
                return tuple(cells * scale for cells in windows[stage])
    # A cut window is its map.
    last = len(windows) - 1
    notes["image_size"] = (
        "the smallest with a whole window in the last stage; other multiples "
        "of it may do as well, and no weight tells"
    )
    if windows[last] != windows[0]:
        notes["image_size"] = "of the last stage, whose window is its map"
    return tuple(cells * patch * 2**last for cells in windows[last])


def _map_size(stage, arguments):
    scale = arguments["patch_size"] * 2**stage
    return tuple(side // scale for side in arguments["image_size"])


def _require_fitting(windows, arguments):
    """Refuses an image whose maps would cut windows elsewhere."""
    for stage, window in enumerate(windows):
        sides = _map_size(stage, arguments)
        cut = tuple(map(min, sides, arguments["window_size"]))
        if cut != window:
            height, width = arguments["image_size"]
            raise ValueError(
                "`image_size` must be one whose maps hold the weights' "
                f"windows: stage {stage} has windows of "
                f"{window[0]}x{window[1]} cells, and would have "
                f"{cut[0]}x{cut[1]}. Received: {height}x{width}."
            )


def _padded_stages(windows, arguments):
    return [
        stage
        for stage, window in enumerate(windows)
        if any(
            side % cells
            for side, cells in zip(
                _map_size(stage, arguments), window, strict=True
            )
        )
    ]
