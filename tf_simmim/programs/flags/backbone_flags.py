"""Flags for the backbone: which network, and in what it differs."""

import inspect

from absl import flags

from tf_simmim import backbones
from tf_simmim.backbones import convolutional
from tf_simmim.backbones import vit
from tf_simmim.layers import self_attention

_BACKBONE = flags.DEFINE_enum(
    "backbone",
    "vit_base",
    sorted(backbones.PRESETS),
    "Train this network. Other flags change parts of it.",
)
_PATCH_SIZE = flags.DEFINE_integer(
    "patch_size",
    None,
    "Cut images into patches of this many pixels a side. By default it is the "
    "backbone's own size.",
    lower_bound=1,
)
_EMBED_DIM = flags.DEFINE_integer(
    "embed_dim",
    None,
    "Give each token of a ViT, or of the first stage of a Swin, this many "
    "features. By default it is the backbone's own number.",
    lower_bound=1,
)
_DEPTH = flags.DEFINE_integer(
    "depth",
    None,
    "Stack this many blocks in a ViT. By default it is the backbone's own "
    "number.",
    lower_bound=1,
)
_DEPTHS = flags.DEFINE_list(
    "depths",
    None,
    "Stack these numbers of blocks in the stages of a Swin or a convolutional "
    "network. By default they are the backbone's own.",
)
_WIDTHS = flags.DEFINE_list(
    "widths",
    None,
    "Give the stages of a convolutional network these numbers of features. By "
    "default they are the backbone's own.",
)
_MASKING = flags.DEFINE_enum(
    "masking",
    None,
    convolutional.MASKINGS,
    "Put this in the place of hidden patches of a convolutional network: a "
    "learned color of the image, or a learned token after the stem. By "
    "default it is color.",
)
_NUM_HEADS = flags.DEFINE_list(
    "num_heads",
    None,
    "Attend with this many heads: one number for a ViT, or one for each of "
    "its blocks; one for each stage of a Swin. By default it is the "
    "backbone's own number.",
)
_WINDOW_SIZE = flags.DEFINE_list(
    "window_size",
    None,
    "Attend within windows of this many cells in a Swin, SIDE or "
    "HEIGHT,WIDTH, which divide every map. By default it is 6 at 192 px, 7 at "
    "224 px, and twice that for swin_large and version 2.",
)
_ABSOLUTE_POSITION = flags.DEFINE_enum(
    "absolute_position",
    None,
    vit.ABSOLUTE_POSITIONS,
    "Embed absolute positions in a ViT in this way: not at all, by learned "
    "vectors, or by sines and cosines. By default it is the backbone's own "
    "way.",
)
_RELATIVE_POSITION = flags.DEFINE_enum(
    "relative_position",
    None,
    vit.RELATIVE_POSITIONS,
    "Add a bias of relative positions to the attention of a ViT: none, one "
    "that all blocks share, or one for each block. By default it is the "
    "backbone's own.",
)
_QKV_BIAS = flags.DEFINE_enum(
    "qkv_bias",
    None,
    self_attention.QKV_BIASES,
    "Add a bias to these projections of the attention in a ViT or Swin. By "
    "default it is as in the reference.",
)
_MLP_RATIO = flags.DEFINE_float(
    "mlp_ratio",
    None,
    "Make the hidden layers of the MLPs in a ViT or Swin this many times as "
    "wide as their tokens. By default it is 4.",
    lower_bound=1e-3,
)
_LAYER_SCALE_INIT = flags.DEFINE_string(
    "layer_scale_init",
    None,
    "Begin with this LayerScale factor in a ViT, a positive number, or do "
    "without LayerScale by none. By default it is the reference's, 0.1.",
)
_CLASS_TOKEN = flags.DEFINE_bool(
    "class_token",
    None,
    "Put a class token before the patches of a ViT. By default there is one.",
)
_EPSILON = flags.DEFINE_float(
    "epsilon",
    None,
    "Add this epsilon to variances in the norms of a ViT or Swin. By default "
    "it is the reference's, 1e-6 in a ViT and 1e-5 in a Swin.",
    lower_bound=1e-15,
)
_FINAL_NORM = flags.DEFINE_bool(
    "final_norm",
    None,
    "Put a norm behind the last block of a ViT. By default there is one; "
    "fine-tuned ViTs have it behind the mean in their head instead.",
)
_DROP_PATH_RATE = flags.DEFINE_float(
    "drop_path_rate",
    0.0,
    "Skip the branches of the last block with this probability in training; "
    "those of earlier blocks less often, in proportion.",
    lower_bound=0.0,
    upper_bound=0.999,
)
_REMATERIALIZE = flags.DEFINE_bool(
    "rematerialize",
    None,
    "Compute the activations of blocks in a ViT or Swin twice instead of "
    "keeping them, which takes less memory and more time. By default they are "
    "kept.",
)
_VISIBLE_ONLY = flags.DEFINE_bool(
    "visible_only",
    None,
    "Encode visible patches alone: this is MAE's encoder, not SimMIM. It is "
    "for a ViT with --relative_position=none (say with "
    "--absolute_position=sincos) and --head=decoder or cross_attention. By "
    "default hidden patches are encoded, too.",
)

_KEY_DIMS = flags.DEFINE_list(
    "key_dims",
    None,
    "Give queries and keys of each attention head in a ViT or Swin this width: "
    "one number, or one for each block. By default it is the width of the "
    "tokens over the number of heads.",
)
_VALUE_DIMS = flags.DEFINE_list(
    "value_dims",
    None,
    "Give values of each attention head in a ViT or Swin this width: one "
    "number, or one for each block. By default it is the width of the tokens "
    "over the number of heads.",
)
_MLP_DIMS = flags.DEFINE_list(
    "mlp_dims",
    None,
    "Make the hidden layers of the MLPs in a ViT or Swin this wide: one "
    "number, or one for each block. By default --mlp_ratio says it.",
)
_REGISTER_TOKENS = flags.DEFINE_integer(
    "register_tokens",
    None,
    "Put this many register tokens beside the patches of a ViT. By default "
    "there are none.",
    lower_bound=0,
)
_REDUCE_TOKENS = flags.DEFINE_list(
    "reduce_tokens",
    None,
    "Merge this many tokens of a ViT after each block: one number for all "
    "blocks but the last, or one for each. By default none are merged.",
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
    _KEY_DIMS,
    _VALUE_DIMS,
    _MLP_DIMS,
    _REGISTER_TOKENS,
    _REDUCE_TOKENS,
)
_WHOLE_NUMBERS = (
    _DEPTHS,
    _WIDTHS,
    _NUM_HEADS,
    _WINDOW_SIZE,
    _KEY_DIMS,
    _VALUE_DIMS,
    _MLP_DIMS,
    _REDUCE_TOKENS,
)

_PER_BLOCK = ("key_dims", "value_dims", "mlp_dims", "reduce_tokens")

# Names of what describes the network, for messages.
ARCHITECTURE_NAMES = ("backbone", *(flag.name for flag in _ARCHITECTURE))


def _are_whole_numbers(values):
    # Digits alone: int() would also take "1_0".
    if values is None:
        return True
    return bool(values) and all(v.isdecimal() and int(v) > 0 for v in values)


def _are_counts(values):
    return values is None or all(
        v == "0" or _are_whole_numbers([v]) for v in values
    )


for _flag in _WHOLE_NUMBERS:
    if _flag is not _REDUCE_TOKENS:
        flags.register_validator(
            _flag.name,
            _are_whole_numbers,
            message="must be positive whole numbers",
        )
flags.register_validator(
    _REDUCE_TOKENS.name, _are_counts, message="must be whole numbers"
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


def flagfile(backbone) -> str:
    """Returns flags, as a flagfile, by which `create_backbone` makes its like.

    Args:
        backbone: `backbones.ViT` or `backbones.Swin`.
    """
    config = backbone.get_config()
    values = {
        flag.name: config[flag.name]
        for flag in (*_ARCHITECTURE, _DROP_PATH_RATE)
        if config.get(flag.name) is not None
        or flag is _LAYER_SCALE_INIT
        and flag.name in config
    }
    values["backbone"] = _nearest_preset(type(backbone), config)
    return "".join(f"--{n}={_as_text(values[n])}\n" for n in sorted(values))


def _nearest_preset(cls, config):
    """Returns the preset that shares most with a backbone, of its class."""

    def shared(name):
        preset = backbones.PRESETS[name].items()
        return sum(config.get(key) == value for key, value in preset)

    # Flags can give everything else, and not the version of a Swin.
    fitting = [
        name
        for name, preset in backbones.PRESETS.items()
        if backbones.backbone_class(name) is cls
        and preset.get("version", 1) == config.get("version", 1)
    ]
    return max(fitting, key=shared)


def _as_text(value):
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return "none" if value is None else str(value)


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
    for flag in _WHOLE_NUMBERS:
        if flag.name in given:
            given[flag.name] = tuple(int(value) for value in flag.value)
    if (factor := given.get(_LAYER_SCALE_INIT.name)) is not None:
        given[_LAYER_SCALE_INIT.name] = (
            None if factor == "none" else float(factor)
        )
    # One number is enough for a ViT's heads, a square window and all blocks.
    single = ["window_size", *_PER_BLOCK]
    if cls is backbones.ViT:
        single.append("num_heads")
    for name in single:
        if len(given.get(name, ())) == 1:
            (given[name],) = given[name]
    return given
