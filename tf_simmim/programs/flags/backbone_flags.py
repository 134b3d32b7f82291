"""Flags for the backbone: which network, and in what it differs."""

import inspect

from absl import flags

from tf_simmim import backbones
from tf_simmim.backbones import convolutional
from tf_simmim.backbones import vit
from tf_simmim.layers import self_attention

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
    "depth",
    None,
    "Number of blocks of a ViT. Default: the backbone's.",
    lower_bound=1,
)
_DEPTHS = flags.DEFINE_list(
    "depths",
    None,
    "Number of blocks of each stage of a Swin or a convolutional network. "
    "Default: the backbone's.",
)
_WIDTHS = flags.DEFINE_list(
    "widths",
    None,
    "Features of each stage of a convolutional network. Default: the "
    "backbone's.",
)
_MASKING = flags.DEFINE_enum(
    "masking",
    None,
    convolutional.MASKINGS,
    "What stands in for hidden patches in a convolutional network: a learned "
    "colour (the default), or a learned token after the stem.",
)
_NUM_HEADS = flags.DEFINE_list(
    "num_heads",
    None,
    "Attention heads: one number for a ViT, one for each stage of a Swin. "
    "Default: the backbone's.",
)
_WINDOW_SIZE = flags.DEFINE_list(
    "window_size",
    None,
    "Window of a Swin, cells: SIDE or HEIGHT,WIDTH. Default: 6 at 192 px, 7 "
    "at 224 px, twice that for swin_large and version 2; it divides every map.",
)
_ABSOLUTE_POSITION = flags.DEFINE_enum(
    "absolute_position",
    None,
    vit.ABSOLUTE_POSITIONS,
    "Absolute position embedding of a ViT. Default: the backbone's.",
)
_RELATIVE_POSITION = flags.DEFINE_enum(
    "relative_position",
    None,
    vit.RELATIVE_POSITIONS,
    "Relative position bias of a ViT. Default: the backbone's.",
)
_QKV_BIAS = flags.DEFINE_enum(
    "qkv_bias",
    None,
    self_attention.QKV_BIASES,
    "Biases of attention, of a ViT or Swin. Default: the reference's.",
)
_MLP_RATIO = flags.DEFINE_float(
    "mlp_ratio",
    None,
    "Hidden width of the MLPs of a ViT or Swin over that of the tokens. "
    "Default: 4.",
    lower_bound=1e-3,
)
_LAYER_SCALE_INIT = flags.DEFINE_string(
    "layer_scale_init",
    None,
    "First LayerScale factor of a ViT, or none for no LayerScale. Default: the "
    "reference's, 0.1.",
)
_CLASS_TOKEN = flags.DEFINE_bool(
    "class_token",
    None,
    "Put a class token before the patches of a ViT. Default: yes.",
)
_EPSILON = flags.DEFINE_float(
    "epsilon",
    None,
    "Epsilon of the norms of a ViT or Swin. Default: the reference's, 1e-6 and "
    "1e-5.",
    lower_bound=1e-15,
)
_FINAL_NORM = flags.DEFINE_bool(
    "final_norm",
    None,
    "Put a norm behind the last block of a ViT. Default: yes; fine-tuned ViTs "
    "have it behind their head's mean instead.",
)
_DROP_PATH_RATE = flags.DEFINE_float(
    "drop_path_rate",
    0.0,
    "Probability of skipping the last block's branches in training; earlier "
    "blocks less, in proportion.",
    lower_bound=0.0,
    upper_bound=0.999,
)
_REMATERIALIZE = flags.DEFINE_bool(
    "rematerialize",
    None,
    "Compute the activations of blocks twice instead of keeping them: less "
    "memory, more time. For a ViT or Swin.",
)
_VISIBLE_ONLY = flags.DEFINE_bool(
    "visible_only",
    None,
    "Encode visible patches alone: MAE's encoder, not SimMIM. For a ViT with "
    "--relative_position=none (say with --absolute_position=sincos) and "
    "--head=decoder or cross_attention.",
)

_ARCHITECTURE = (
    _PATCH_SIZE,
    _EMBED_DIM,
    _DEPTH,
    _DEPTHS,
    _WIDTHS,
    _NUM_HEADS,
    _WINDOW_SIZE,
    _ABSOLUTE_POSITION,
    _RELATIVE_POSITION,
    _QKV_BIAS,
    _MLP_RATIO,
    _LAYER_SCALE_INIT,
    _CLASS_TOKEN,
    _EPSILON,
    _FINAL_NORM,
    _REMATERIALIZE,
    _VISIBLE_ONLY,
    _MASKING,
)

# Names of what describes the network, for messages.
ARCHITECTURE_NAMES = ("backbone", *(flag.name for flag in _ARCHITECTURE))


def _are_whole_numbers(values):
    # Digits alone: int() would also take "1_0".
    if values is None:
        return True
    return bool(values) and all(v.isdecimal() and int(v) > 0 for v in values)


for _flag in (_DEPTHS, _WIDTHS, _NUM_HEADS, _WINDOW_SIZE):
    flags.register_validator(
        _flag.name,
        _are_whole_numbers,
        message="must be positive whole numbers",
    )


def _is_factor_or_none(text):
    try:
        return text in (None, "none") or 0 < float(text) < float("inf")
    except ValueError:
        return False


flags.register_validator(
    _LAYER_SCALE_INIT.name,
    _is_factor_or_none,
    message="must be a positive number, or none",
)


def create_backbone(image_size, channels):
    """Creates the backbone that the flags describe, as it is pretrained.

    Args:
        image_size: (height, width), px.
        channels: int.
    """
    return backbones.create(
        _BACKBONE.value,
        image_size,
        channels=channels,
        drop_path_rate=_DROP_PATH_RATE.value,
        **_architecture(),
    )


def _architecture():
    """Returns the arguments of the backbone that flags give."""
    given = {
        flag.name: flag.value
        for flag in _ARCHITECTURE
        if flag.value is not None
    }
    cls = backbones.backbone_class(_BACKBONE.value)
    known = inspect.signature(cls).parameters
    foreign = [f"--{name}" for name in given if name not in known]
    if foreign:
        fitting = [f"--{f.name}" for f in _ARCHITECTURE if f.name in known]
        raise ValueError(
            f"--backbone={_BACKBONE.value} is a {cls.__name__}, which takes "
            f"{', '.join(fitting)}. Received: {', '.join(foreign)}."
        )
    for flag in (_DEPTHS, _WIDTHS, _NUM_HEADS, _WINDOW_SIZE):
        if flag.name in given:
            given[flag.name] = tuple(int(value) for value in flag.value)
    if (factor := given.get(_LAYER_SCALE_INIT.name)) is not None:
        given[_LAYER_SCALE_INIT.name] = (
            None if factor == "none" else float(factor)
        )
    # One number is enough for a ViT's heads, and for a square window.
    single = ["window_size"]
    if cls is backbones.ViT:
        single.append("num_heads")
    for name in single:
        if len(given.get(name, ())) == 1:
            (given[name],) = given[name]
    return given
