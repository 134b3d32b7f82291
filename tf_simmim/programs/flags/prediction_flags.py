"""Flags for what is predicted of hidden patches, and how.

With those of the backbone and the mask they describe a SimMIM model.
"""

from absl import flags

from tf_simmim import heads
from tf_simmim import losses
from tf_simmim import models
from tf_simmim import sizes
from tf_simmim.programs.flags import backbone_flags
from tf_simmim.programs.flags import masking_flags

_TARGET = flags.DEFINE_enum(
    "target",
    "pixels",
    losses.TARGETS,
    "Predict this of hidden patches: their pixels as they are, or normalised "
    "within each patch or within a window.",
)
_RECONSTRUCTION_LOSS = flags.DEFINE_enum(
    "reconstruction_loss",
    "l1",
    losses.LOSSES,
    "Measure the error of predicted values with this loss: their distance "
    "(l1), its square (l2), or a mixture of both (smooth_l1).",
)
_HEAD = flags.DEFINE_enum(
    "head",
    "linear",
    list(heads.HEADS),
    "Turn features into pixels with this head; the paper found linear no "
    "worse than others.",
)


def loss_is_in_pixels() -> bool:
    """Whether the loss is the L1 error of pixels, as in the paper."""
    return (_TARGET.value, _RECONSTRUCTION_LOSS.value) == ("pixels", "l1")


def create_simmim(
    image_size, channels, seed, mask_ratio=None, mask_patch_size=None
) -> models.SimMIM:
    """Creates the model that the flags describe.

    Args:
        image_size: (height, width), px.
        channels: int.
        seed: int.
        mask_ratio: float. Default: --mask_ratio.
        mask_patch_size: int, px. Default: --mask_patch_size.
    """
    if mask_ratio is None:
        mask_ratio = masking_flags.MASK_RATIO.value
    if mask_patch_size is None:
        mask_patch_size = masking_flags.MASK_PATCH_SIZE.value
    if masking_flags.MASK_STRATEGY.value != "pixel":
        # The stricter rule first, so that the size it suggests really works.
        sizes.require_multiple(
            image_size, "image_size", mask_patch_size, "mask_patch_size"
        )
    backbone = backbone_flags.create_backbone(image_size, channels)
    return models.SimMIM(
        backbone,
        mask_patch_size=mask_patch_size,
        mask_ratio=mask_ratio,
        mask_strategy=masking_flags.MASK_STRATEGY.value,
        target=_TARGET.value,
        reconstruction_loss=_RECONSTRUCTION_LOSS.value,
        seed=seed,
        head=_HEAD.value,
    )
