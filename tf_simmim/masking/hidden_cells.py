"""Which cells of a feature map a patch mask hides.

Dimension key:
  B: batch   h w: grid of model patches   h' w': feature map
  R: model patches along a cell = h/h'   n: number of cells that are listed
"""

import tensorflow as tf


def hidden_cells(patch_mask: tf.Tensor, cell_size: int, num_cells: int):
    """Lists the hidden cells of each sample, in a fixed number.

    The hidden ones come first, in row-major order. A sample that hides fewer
    than `num_cells` has visible ones listed after them, which `is_hidden`
    tells apart. A list says all there is to say about a mask if no sample
    hides more, and no cell is hidden in part; whether that is so is returned.

    Args:
        patch_mask: int or bool [B, h, w]. 1 = hidden, 0 = visible.
        cell_size: int, R, in model patches: 1 ViT, 8 Swin.
        num_cells: int, n, at most h' * w'.

    Returns:
        (cells, is_hidden, is_complete): int32 [B, n], row-major numbers of
        cells; int32 [B, n], 1 = hidden, 0 = visible; bool [].
    """
    _, height, width = patch_mask.shape
    h, w = height // cell_size, width // cell_size
    mask = tf.cast(patch_mask, tf.int32)
    mask = tf.reshape(mask, [-1, h, cell_size, w, cell_size])
    counts = tf.reshape(tf.reduce_sum(mask, [2, 4]), [-1, h * w])
    is_whole = tf.cast(counts == cell_size**2, tf.int32)  # [B, h' * w']
    is_in_part = (counts != 0) & (is_whole == 0)
    fits = tf.reduce_sum(is_whole, axis=1) <= num_cells  # [B]
    # Of equal numbers, the first in order comes first.
    is_hidden, cells = tf.math.top_k(is_whole, num_cells)  # [B, n]
    is_complete = tf.reduce_all(fits) & ~tf.reduce_any(is_in_part)
    return cells, is_hidden, is_complete
