"""Random masks of aligned square patches: the mask of SimMIM."""

from tf_simmim.masking import patch_mask


class RandomPatchMask(patch_mask.PatchMask):
    """Hides ceil(mask_ratio * n) of the n mask patches, uniformly at random.

    The order is a uniform permutation: the rank of one random number a patch.
    Arguments, attributes and errors are those of `PatchMask`.

    Source: Xie et al., SimMIM, 2021, https://arxiv.org/abs/2111.09886,
        section 3.2, and the reference code's MaskGenerator.
    """

    def __init__(
        self, image_size, patch_size, mask_patch_size=32, mask_ratio=0.6
    ):
        super().__init__(image_size, patch_size, mask_patch_size, mask_ratio)
        self.numbers_per_sample = self.num_mask_patches

    def _order(self, numbers):
        return numbers  # [B, n]
