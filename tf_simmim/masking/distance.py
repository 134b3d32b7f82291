"""AvgDist: how far hidden pixels are from what can be seen.

Dimension key:
  B: batch   P: model patch, px   h w: grid of model patches
"""

import numpy as np
from scipy import ndimage

from tf_simmim import randomness
from tf_simmim.masking import patch_mask as patch_masks
from tf_simmim.masking import pixel_mask


def average_distance(patch_mask, patch_size: int) -> np.ndarray:
    """Returns the mean distance of hidden pixels to the nearest visible one.

        AvgDist = mean over hidden p of min over visible q of |p - q|

    with Euclidean distances between the centres of pixels, so at least 1. The
    paper finds that masks with a value of 10 to 20 px (at 192 px) teach the
    most: nearer pixels can be copied, farther ones only guessed.

    Args:
        patch_mask: int or bool [B, h, w]. 1 = hidden, 0 = visible.
        patch_size: int, P, px.

    Returns:
        float64 [B], px: one value for each mask.

    Raises:
        ValueError: `patch_mask` is not [B, h, w], or one of the masks hides
            everything or nothing.

    Source: Xie et al., SimMIM, 2021, https://arxiv.org/abs/2111.09886,
        section 4.1.3 and figure 5.
    """
    patch_mask = np.asarray(patch_mask).astype(bool)
    if patch_mask.ndim != 3:
        raise ValueError(
            "`patch_mask` must be [batch, height, width]. "
            f"Received shape: {patch_mask.shape}."
        )
    ratio = patch_mask.mean(axis=(1, 2))
    if not np.all((ratio > 0) & (ratio < 1)):
        raise ValueError(
            "`patch_mask` must have hidden and visible patches in every mask. "
            f"Received fractions of hidden ones: {ratio.tolist()}."
        )
    hidden = pixel_mask.to_pixel_mask(patch_mask, patch_size).numpy()
    return np.array(
        [ndimage.distance_transform_edt(mask)[mask].mean() for mask in hidden]
    )


def expected_distance(
    generator: patch_masks.PatchMask, num_masks: int = 64, seed: int = 0
) -> float:
    """Returns the AvgDist of a mask generator: the mean over some masks.

    Args:
        generator: PatchMask.
        num_masks: int. Of 64, the mean of 32 px patches at 192 px is within
            0.5 px.
        seed: int. Of the masks.

    Returns:
        float, px.
    """
    masks = generator.sample_batch(
        randomness.seed_for(seed, randomness.MASK), num_masks
    )
    return float(average_distance(masks, generator.patch_size).mean())
