"""What every backbone asks of its arguments, said in the same words."""

import tensorflow as tf


def require_positive(**numbers: int) -> None:
    """Refuses numbers below 1, by the names of their arguments."""
    if any(number < 1 for number in numbers.values()):
        names = " and ".join(f"`{name}`" for name in numbers)
        received = ", ".join(f"{k}={v}" for k, v in numbers.items())
        raise ValueError(f"{names} must be at least 1. Received: {received}.")


def require_heads(embed_dim: int, num_heads: int) -> None:
    """Refuses a number of heads that does not divide the width."""
    if not isinstance(num_heads, int) or not (
        num_heads > 0 and embed_dim % num_heads == 0
    ):
        raise ValueError(
            "`num_heads` must be positive and divide `embed_dim`. "
            f"Received: num_heads={num_heads}, embed_dim={embed_dim}."
        )


def require_drop_path_rate(drop_path_rate: float) -> None:
    """Refuses a rate outside [0, 1)."""
    if not 0 <= drop_path_rate < 1:
        raise ValueError(
            f"`drop_path_rate` must lie in [0, 1). Received: {drop_path_rate}."
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
