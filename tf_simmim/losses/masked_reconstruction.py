"""SimMIM's loss: reconstruction error over hidden pixels, in patch space.

Dimension key:
  B: batch   h w: feature map   S: encoder stride, px   P: model patch, px
  C: channels   F: values of one cell = S*S*C, ordered (row, column, channel)
"""

import tensorflow as tf

from tf_simmim import masking

LOSSES = ("l1", "l2", "smooth_l1")
# Added to the number of hidden pixels, as in the reference.
EPSILON = 1e-5


def elementwise_error(difference: tf.Tensor, kind: str) -> tf.Tensor:
    """Returns |d|, d^2, or d^2/2 where |d| < 1 and |d| - 1/2 elsewhere.

    Args:
        difference: float, any shape. d = target - prediction.
        kind: "l1" (the paper's default), "l2" or "smooth_l1" (Huber, delta 1).

    Raises:
        ValueError: `kind` is unknown.
    """
    if kind == "l1":
        return tf.abs(difference)
    if kind == "l2":
        return tf.square(difference)
    if kind == "smooth_l1":
        size = tf.abs(difference)
        return tf.where(size < 1.0, 0.5 * tf.square(size), size - 0.5)
    raise ValueError(f"`kind` must be one of {LOSSES}. Received: {kind!r}.")


def masked_reconstruction_loss(
    target: tf.Tensor,
    prediction: tf.Tensor,
    patch_mask: tf.Tensor,
    patch_size: int,
    stride: int,
    kind: str = "l1",
) -> tf.Tensor:
    """Returns the mean error of a hidden value, over the whole batch.

        sum(m * error(x, x_hat)) / (sum(m) + 1e-5) / C

    with m = 1 on hidden pixels. Visible pixels have no part in it. Computed on
    patches, without ever forming the predicted image.

    Args:
        target: float32 [B, h, w, F], or [B, n, F] of n cells of each image
            that include every hidden one.
        prediction: float32, the shape of `target`.
        patch_mask: int or bool [B, h*S/P, w*S/P], on the grid of model
            patches, or [B, n]. 1 = hidden, 0 = visible.
        patch_size: int, P, px; S for chosen cells.
        stride: int, S, px, a multiple of P.
        kind: str, one of `LOSSES`.

    Returns:
        float32 []. A mean over the batch it is given: the replicas' losses
        average to that of the global batch, since SimMIM hides the same
        number of patches in every image.

    Source: Xie et al., SimMIM, 2021, https://arxiv.org/abs/2111.09886,
        equation 1, with the normaliser of the reference code.
    """
    error = elementwise_error(target - prediction, kind)  # [..., F]
    mask = tf.cast(patch_mask, tf.float32)
    num_hidden_pixels = tf.reduce_sum(mask) * patch_size**2
    channels = error.shape[-1] // stride**2
    if stride == patch_size:
        mask = mask[..., tf.newaxis]  # [..., 1]
    else:
        # A cell holds several model patches: one number per pixel of the cell.
        pixel_mask = masking.to_pixel_mask(mask, patch_size)[..., tf.newaxis]
        mask = tf.nn.space_to_depth(pixel_mask, stride)  # [B, h, w, S*S]
        mask = tf.repeat(mask, channels, axis=-1)  # [B, h, w, F]
    total = tf.reduce_sum(mask * error)
    return total / (num_hidden_pixels + EPSILON) / channels


def shares_of_loss(patch_masks: tf.Tensor, patch_size: int) -> tf.Tensor:
    """Returns how much the loss of each part of a batch counts in the whole's.

        share_k = (n_k + 1e-5) / (sum_k n_k + 1e-5)

    with n_k the hidden pixels of part k. The sum of share_k * loss_k is then
    the loss of the whole batch, whatever the parts hide: numerators and
    denominators are summed apart.

    Args:
        patch_masks: int or bool [K, b, h, w]. The parts' masks, 1 = hidden.
        patch_size: int, px. Side of a patch of these masks.

    Returns:
        float32 [K].
    """
    masks = tf.cast(patch_masks, tf.float32)
    counts = tf.reduce_sum(masks, axis=[1, 2, 3]) * patch_size**2  # [K]
    return (counts + EPSILON) / (tf.reduce_sum(counts) + EPSILON)
