"""Flags for the model: the backbone, the mask and the prediction."""

from absl import flags

from tf_simmim import backbones
from tf_simmim import losses
from tf_simmim import masking
from tf_simmim import models
from tf_simmim import sizes
from tf_simmim.backbones import vit

_BACKBONE = flags.DEFINE_enum(
    "backbone", "vit_base", sorted(backbones.PRESETS), "Network to pretrain."
)
_PATCH_SIZE = flags.DEFINE_integer(
    "patch_size",
    None,
    "Model patch, px. Default: the backbone's.",
    lower_bound=1,
)
_EMBED_DIM = flags.DEFINE_integer(
    "embed_dim", None, "Width. Default: the backbone's.", lower_bound=1
)
_DEPTH = flags.DEFINE_integer(
    "depth", None, "Number of blocks. Default: the backbone's.", lower_bound=1
)
_NUM_HEADS = flags.DEFINE_integer(
    "num_heads",
    None,
    "Attention heads. Default: the backbone's.",
    lower_bound=1,
)
_ABSOLUTE_POSITION = flags.DEFINE_enum(
    "absolute_position",
    None,
    vit.ABSOLUTE_POSITIONS,
    "Absolute position embedding. Default: the backbone's.",
)
_RELATIVE_POSITION = flags.DEFINE_enum(
    "relative_position",
    None,
    vit.RELATIVE_POSITIONS,
    "Relative position bias. Default: the backbone's.",
)
_DROP_PATH_RATE = flags.DEFINE_float(
    "drop_path_rate",
    0.0,
    "Probability of skipping the last block's branches in training; earlier "
    "blocks less, in proportion.",
    lower_bound=0.0,
    upper_bound=0.999,
)
_MASK_PATCH_SIZE = flags.DEFINE_integer(
    "mask_patch_size", 32, "Side of the squares to hide, px.", lower_bound=1
)
_MASK_RATIO = flags.DEFINE_float(
    "mask_ratio",
    0.6,
    "Fraction of the squares to hide, counted up.",
    lower_bound=0.0,
    upper_bound=1.0,
)
_TARGET = flags.DEFINE_enum(
    "target", "pixels", losses.TARGETS, "What to predict of hidden patches."
)
_RECONSTRUCTION_LOSS = flags.DEFINE_enum(
    "reconstruction_loss", "l1", losses.LOSSES, "Error of a predicted value."
)


def loss_is_in_pixels() -> bool:
    """Whether the loss is the L1 error of pixels, as in the paper."""
    return (_TARGET.value, _RECONSTRUCTION_LOSS.value) == ("pixels", "l1")


def create_simmim(image_size, channels, seed) -> models.SimMIM:
    """Creates the model that the flags describe."""
    # The stricter rule first, so that the size it suggests really works.
    sizes.require_multiple(
        image_size, "image_size", _MASK_PATCH_SIZE.value, "mask_patch_size"
    )
    overrides = {
        "patch_size": _PATCH_SIZE.value,
        "embed_dim": _EMBED_DIM.value,
        "depth": _DEPTH.value,
        "num_heads": _NUM_HEADS.value,
        "absolute_position": _ABSOLUTE_POSITION.value,
        "relative_position": _RELATIVE_POSITION.value,
    }
    backbone = backbones.create(
        _BACKBONE.value,
        image_size,
        channels=channels,
        drop_path_rate=_DROP_PATH_RATE.value,
        **{key: value for key, value in overrides.items() if value is not None},
    )
    return models.SimMIM(
        backbone,
        mask_patch_size=_MASK_PATCH_SIZE.value,
        mask_ratio=_MASK_RATIO.value,
        target=_TARGET.value,
        reconstruction_loss=_RECONSTRUCTION_LOSS.value,
        seed=seed,
    )


def random_mask(backbone) -> masking.RandomPatchMask:
    """Returns the generator of the masks that go with the images."""
    return masking.RandomPatchMask(
        backbone.image_size,
        backbone.patch_size,
        _MASK_PATCH_SIZE.value,
        _MASK_RATIO.value,
    )
