"""Random masks as fine as a patch mask can be: single model patches."""

from tf_simmim.masking import random_patch_mask


class SinglePatchMask(random_patch_mask.RandomPatchMask):
    """Hides single model patches, uniformly at random: `"pixel"`.

    A random mask whose mask patch is the model patch: 4 px for Swin, 16 px for
    ViT, a true pixel only where `patch_size` is 1. A mask token stands for a
    whole model patch, so a patch mask cannot say that a part of one is hidden;
    masks of pixels inside patches would have to change the image itself.

    Where the encoder's stride is larger than the model patch (Swin), most
    cells of its feature map are partly hidden and partly visible.

    Args:
        image_size: int or (height, width), px.
        patch_size: int, px. The backbone's model patch: 16 ViT, 4 Swin.
        mask_patch_size: not used; here so that every strategy is created
            alike. The attribute is `patch_size`.
        mask_ratio: float in (0, 1). Fraction of model patches to hide. Holes
            this small are filled in from their rim, so the paper hides 0.8 and
            more of them.

    Raises:
        ValueError: see `PatchMask`.

    Source: Xie et al., SimMIM, 2021, https://arxiv.org/abs/2111.09886,
        section 4.1.3 (mask patches of 4 px); with 16 px it is the mask of He
        et al., MAE, 2021, https://arxiv.org/abs/2111.06377.
    """

    def __init__(
        self, image_size, patch_size, mask_patch_size=None, mask_ratio=0.6
    ):
        super().__init__(image_size, patch_size, patch_size, mask_ratio)
