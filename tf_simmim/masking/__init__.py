"""Mask generators: pure functions of a seed. 1 = hidden, 0 = visible."""

from tf_simmim.masking.random_patch_mask import RandomPatchMask
from tf_simmim.masking.random_patch_mask import count_hidden
from tf_simmim.masking.random_patch_mask import to_pixel_mask

__all__ = ["RandomPatchMask", "count_hidden", "to_pixel_mask"]
