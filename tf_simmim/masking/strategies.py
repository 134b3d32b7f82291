"""The mask strategies by name."""

from tf_simmim.masking import block_wise_mask
from tf_simmim.masking import free_form_mask
from tf_simmim.masking import grid_mask
from tf_simmim.masking import patch_mask
from tf_simmim.masking import random_patch_mask
from tf_simmim.masking import single_patch_mask

# "pixel": the finest that a patch mask can say, which is a model patch.
STRATEGIES = {
    "random": random_patch_mask.RandomPatchMask,
    "block_wise": block_wise_mask.BlockWiseMask,
    "grid": grid_mask.GridMask,
    "free_form": free_form_mask.FreeFormMask,
    "pixel": single_patch_mask.SinglePatchMask,
}


def create(
    name: str, image_size, patch_size, mask_patch_size=32, mask_ratio=0.6
) -> patch_mask.PatchMask:
    """Creates the mask generator of a strategy.

    Args:
        name: one of `STRATEGIES`.
        image_size: int or (height, width), px.
        patch_size: int, px. The backbone's model patch: 16 ViT, 4 Swin.
        mask_patch_size: int, px. Side of the squares that are hidden or
            visible as a whole; "pixel" takes `patch_size` in its place.
        mask_ratio: float in (0, 1). Fraction of squares to hide, counted up.

    Returns:
        PatchMask, which `models.SimMIM` and `data.ImageStream` take.

    Raises:
        ValueError: `name` is unknown; or see `PatchMask`.
    """
    # A name may come from a file, and then be of any kind.
    if not isinstance(name, str) or name not in STRATEGIES:
        raise ValueError(
            f"`mask_strategy` must be one of {tuple(STRATEGIES)}. "
            f"Received: {name!r}."
        )
    return STRATEGIES[name](image_size, patch_size, mask_patch_size, mask_ratio)


def strategy_of(random_mask: patch_mask.PatchMask) -> str:
    """Returns the name of a mask generator's strategy.

    Raises:
        ValueError: it is none of `STRATEGIES`.
    """
    for name, strategy in STRATEGIES.items():
        if type(random_mask) is strategy:
            return name
    raise ValueError(
        "`random_mask` must be of a strategy that a configuration can name, "
        f"{tuple(STRATEGIES)}. Received: {type(random_mask).__name__}."
    )
