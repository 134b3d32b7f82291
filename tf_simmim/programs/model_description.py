"""The flags that a model could have been made with."""

from absl import flags

from tf_simmim import backbones
from tf_simmim.programs.flags import backbone_flags


def flags_text(model) -> str:
    """Returns the flagfile that describes a model to pretrain.py.

    With it, programs that build the model of a run by its flags do so for one
    that was not made by flags.

    Args:
        model: `models.SimMIM` of a `backbones.ViT` or `Swin`, with a linear
            head that predicts pixels.
    """
    backbone = model.backbone
    config = backbone.get_config()
    values = {
        flag.name: config[flag.name]
        for flag in flags.FLAGS.flags_by_module_dict()[backbone_flags.__name__]
        if flag.name in config
    }
    values |= {
        "backbone": _preset(type(backbone), config),
        "channels": backbone.channels,
        "image_size": backbone.image_size,
        "mask_patch_size": model.mask_patch_size,
        "mask_ratio": model.mask_ratio,
    }
    return "\n".join(f"--{n}={_text(values[n])}" for n in sorted(values)) + "\n"


def _preset(cls, config):
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


def _text(value):
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return "none" if value is None else str(value)
