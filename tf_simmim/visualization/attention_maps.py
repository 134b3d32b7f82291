"""What patches attend to, in any block of a ViT or Swin.

Dimension key:
  B: batch   H W: image, px   C: channels   h w: grid of the block's cells
  N: number of cells = h*w, row-major   K: num_heads
  M: tokens of one softmax: N and those before them; or cells of a window
  W: windows of an image
"""

import numpy as np
import tensorflow as tf

from tf_simmim import backbones
from tf_simmim.layers import windows

QUERIES = ("class", "mean")


def attention_maps(backbone, images, block, query="mean") -> np.ndarray:
    """Returns how much a query attends to every cell, head by head.

    The numbers are the softmax of the block's attention, as it computes it
    for whole images (no mask, no training). Those of one query sum to 1 over
    all tokens: over the cells of its window in a Swin; in a ViT over the cells
    and class and register tokens, which are left out of the map.

    Args:
        backbone: `backbones.ViT` or `backbones.Swin`.
        images: float [B, H, W, C]. Normalised.
        block: int in [0, num_blocks). A Swin's are counted through all stages.
        query: "mean", the mean over the queries of all cells; "class", the
            query of the class token; or (row, column) of a cell of the
            block's grid.

    Returns:
        float32 [B, K, h, w]. In a Swin, cells outside the window of a cell
        are 0.

    Raises:
        ValueError: the backbone has no attention, the block or the cell is
            not there, there is no class token for the query "class", or
            tokens were merged before the block.
    """
    _require_attention(backbone, block)
    place = f"block_{block}/attention"
    weights = backbone.taps(images, place)[place].numpy()
    grid, num_first = backbone.grid_size, getattr(backbone, "num_first", 0)
    if isinstance(backbone, backbones.Swin):
        grid = _swin_block(backbone, block).grid_size
    elif weights.shape[-1] != num_first + grid[0] * grid[1]:
        raise ValueError(
            "`block` must come before any that merges tokens (`reduce_tokens` "
            f"of the backbone is {backbone.reduce_tokens}), since there is no "
            f"attention to single cells behind it. Received: {block}."
        )
    _require_query(backbone, query, grid)
    if isinstance(backbone, backbones.Swin):
        stage_block = _swin_block(backbone, block)
        maps = _from_windows(weights, stage_block, len(images), query)
    else:
        maps = _from_tokens(weights, num_first, grid, query)
    return maps.reshape(*maps.shape[:2], *grid)  # [B, K, h, w]


def _require_attention(backbone, block):
    if not isinstance(backbone, backbones.ViT | backbones.Swin):
        raise ValueError(
            "`backbone` must be a ViT or a Swin, which attend. "
            f"Received: {type(backbone).__name__}."
        )
    if not 0 <= block < backbone.num_blocks:
        raise ValueError(
            f"`block` must lie in [0, {backbone.num_blocks}). "
            f"Received: {block}."
        )


def _swin_block(backbone, number):
    return [block for stage in backbone.stages for block in stage][number]


def _require_query(backbone, query, grid):
    if isinstance(query, str):
        if query not in QUERIES:
            raise ValueError(
                f"`query` must be one of {QUERIES}, or (row, column). "
                f"Received: {query!r}."
            )
        if query == "class" and not getattr(backbone, "class_token", False):
            raise ValueError(
                '`query` must be "mean" or (row, column): this backbone has '
                'no class token. Received: "class".'
            )
        return
    if len(query) != 2 or not all(
        0 <= place < side for place, side in zip(query, grid, strict=True)
    ):
        raise ValueError(
            "`query` must be (row, column) of a cell in a grid of "
            f"{grid[0]} x {grid[1]}, counted from 0. Received: {query}."
        )


def _from_tokens(weights, first, grid, query):
    """Returns [B, K, N] of the softmax of all tokens, [B, K, M, M]."""
    to_cells = weights[..., first:]  # [B, K, M, N]
    if query == "class":
        return to_cells[:, :, 0]
    if query == "mean":
        return to_cells[:, :, first:].mean(axis=2)
    return to_cells[:, :, first + query[0] * grid[1] + query[1]]


def _from_windows(weights, block, num_images, query):
    """Returns [B, K, N] of the softmax in windows, [B * W, K, M, M]."""
    (h, w), num_heads = block.grid_size, block.num_heads
    # The number of each cell of each window, padding being number 0.
    numbers = tf.reshape(tf.range(1, h * w + 1), [1, h, w, 1])
    numbers = windows.to_windows(numbers, block.window, block.shift)
    numbers = numbers.numpy()[..., 0]  # [W, M]
    weights = weights.reshape(
        num_images, *numbers.shape[:1], *weights.shape[1:]
    )
    maps = np.zeros([num_images, num_heads, h * w + 1], np.float32)
    if query == "mean":
        # What padding attends to is padding, and left out with it.
        received = np.sum(weights, axis=3) / (h * w)  # [B, W, K, M]
        for window, cells in enumerate(numbers):
            maps[:, :, cells] += received[:, window]
    else:
        number = 1 + query[0] * w + query[1]
        ((window, place),) = np.argwhere(numbers == number)
        maps[:, :, numbers[window]] = weights[:, window, :, place]
    return maps[:, :, 1:]
