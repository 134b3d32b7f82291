"""What every backbone asks of its arguments, said in the same words."""

import math
import numbers

import numpy as np
import tensorflow as tf


def _is_int(value):
    # True and False are ints of Python's, and no sizes.
    return isinstance(value, int) and not isinstance(value, bool)


def require_positive(**values: int) -> None:
    """Refuses what is no int of 1 or more, by the names of the arguments."""
    if not all(_is_int(n) and n > 0 for n in values.values()):
        names = " and ".join(f"`{name}`" for name in values)
        received = ", ".join(f"{k}={v!r}" for k, v in values.items())
        raise ValueError(
            f"{names} must be at least 1, a whole number each. "
            f"Received: {received}."
        )


def require_not_negative(name: str, value: int) -> None:
    """Refuses what is no int of 0 or more."""
    if not _is_int(value) or value < 0:
        raise ValueError(
            f"`{name}` must be 0 or a positive whole number. "
            f"Received: {value!r}."
        )


def require_at_most(most: int, **values: int) -> None:
    """Refuses numbers above `most`, by the names of their arguments."""
    for name, number in values.items():
        if number > most:
            raise ValueError(
                f"`{name}` must give at most {most} blocks. Received: {number}."
            )


def require_ratio(mlp_ratio: float, embed_dim: int) -> None:
    """Refuses a ratio that leaves an MLP without a hidden unit.

    Raises:
        ValueError: `mlp_ratio` is no positive, finite number, or is too small
            for tokens of `embed_dim` features.
    """
    is_number = isinstance(mlp_ratio, numbers.Real) and math.isfinite(mlp_ratio)
    if not is_number or embed_dim * mlp_ratio < 1:
        raise ValueError(
            "`mlp_ratio` must be positive, and large enough for a hidden "
            f"unit over {embed_dim} features. Received: {mlp_ratio!r}."
        )


def per_block(name: str, value, num_blocks: int) -> tuple:
    """Returns a value for each block, of one for all or a list of them.

    Args:
        name: str. The argument's, for the error.
        value: anything, or a list or tuple with one for each block.
        num_blocks: int.

    Raises:
        ValueError: a list of another length.
    """
    if isinstance(value, np.ndarray | np.generic):
        raise ValueError(
            f"`{name}` must be a plain number, list or tuple, which a "
            f"configuration can hold. Received: {value!r}."
        )
    if not isinstance(value, list | tuple):
        return num_blocks * (value,)
    if len(value) != num_blocks:
        raise ValueError(
            f"`{name}` must be one value for all blocks or a flat list with "
            f"one for each of the {num_blocks}. Received: {value}."
        )
    return tuple(value)


def require_heads(embed_dim: int, num_heads: int) -> None:
    """Refuses a number of heads that does not divide the width."""
    if not _is_int(num_heads) or not (
        num_heads > 0 and embed_dim % num_heads == 0
    ):
        raise ValueError(
            "`num_heads` must be positive and divide `embed_dim`. "
            f"Received: num_heads={num_heads!r}, embed_dim={embed_dim}."
        )


def require_drop_path_rate(drop_path_rate: float) -> None:
    """Refuses a rate outside [0, 1)."""
    if not (
        isinstance(drop_path_rate, numbers.Real) and 0 <= drop_path_rate < 1
    ):
        raise ValueError(
            "`drop_path_rate` must lie in [0, 1). "
            f"Received: {drop_path_rate!r}."
        )


def require_one_of(name: str, value, choices) -> None:
    """Refuses a value that is none of `choices`."""
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {choices}. Received: {value!r}."
        )


def require_images(images, image_size, channels: int) -> None:
    """Refuses pixels, and images of another size than the backbone's."""
    dtype = tf.as_dtype(images.dtype)
    if not dtype.is_floating:
        raise ValueError(
            "`images` must be float and normalised; "
            "`data.Normalization().normalize` makes them so from pixels. "
            f"Received dtype: {dtype.name}."
        )
    if tuple(images.shape[1:]) != (*image_size, channels):
        raise ValueError(
            f"`images` must be [batch, {image_size[0]}, {image_size[1]}, "
            f"{channels}], the `image_size` and `channels` that this backbone "
            f"was made for. Received shape: {images.shape}."
        )


def require_mask(patch_mask, grid_size) -> None:
    """Refuses a mask of another grid than the backbone's."""
    if tuple(patch_mask.shape[1:]) != tuple(grid_size):
        raise ValueError(
            f"`patch_mask` must be [batch, {grid_size[0]}, {grid_size[1]}], "
            f"the grid of patches. Received shape: {patch_mask.shape}."
        )


def require_blocks(blocks, num_blocks: int) -> None:
    """Refuses numbers of blocks that the backbone does not have."""
    if not all(0 <= block < num_blocks for block in blocks):
        raise ValueError(
            f"`blocks` must lie in [0, {num_blocks}). Received: {list(blocks)}."
        )


def find_layer_id(groups, variable: tf.Variable) -> int:
    """Returns the number of the group that a variable belongs to.

    Args:
        groups: sequence of (number, Keras layer).
        variable: tf.Variable.

    Raises:
        ValueError: it is in none of the layers.
    """
    for number, layer in groups:
        if any(variable is weight for weight in layer.weights):
            return number
    raise ValueError(
        f"`variable` must belong to this backbone. Received: {variable.name}."
    )
