"""Flags of segmentation: whose classes, and the network on the backbone."""

import data_flags
import finetune_flags
import model_flags
import run_flags
from absl import flags

from tf_simmim import data
from tf_simmim import models

_PYRAMID_WIDTH = flags.DEFINE_integer(
    "pyramid_width",
    128,
    "Features of the maps between the backbone and the classes.",
    lower_bound=1,
)
NUM_DRAWN = flags.DEFINE_integer(
    "num_drawn",
    8,
    "Held-out images whose prediction is drawn in the end.",
    lower_bound=1,
)

# What other flags are by default.
_DEFAULTS = {
    "name": "segment",
    "crop_scale": "0.25,1",
    "warmup_epochs": 5.0,
}
# Flags of fine-tuning that are about labels of whole images.
_OF_CLASSIFICATION = (
    *("num_labels", "label_smoothing", "crop_fraction", "erasing_rate"),
    *("rand_augment_operations", "rand_augment_magnitude"),
    *("rand_augment_stddev", "mixup_alpha", "cutmix_alpha", "mix_rate"),
    "mix_switch_rate",
)


def configure():
    """Makes the flags of this process those of a program that segments.

    To be called before they are parsed, as `finetune_flags.configure`.
    """
    finetune_flags.configure()
    for name in _OF_CLASSIFICATION:
        delattr(flags.FLAGS, name)
    for name, value in _DEFAULTS.items():
        flags.FLAGS.set_default(name, value)


def open_sources():
    """Opens the images to train on and those to be judged by.

    Returns:
        (`data.Source`, `data.Source` or None), whose classes agree.

    Raises:
        ValueError: their pixels have no classes, or not the same.
    """
    finetune_flags.take_statistics()
    source = data_flags.open_source()
    held_out = data_flags.open_validation_source()
    for each in (source, held_out):
        if each is not None and each.segmentation_class_names is None:
            raise ValueError(
                "The pixels of the images must have classes, as in "
                "builtin:digit_scenes or segmentation:PATH. "
                f"Received: {each.name}."
            )
    names = source.segmentation_class_names
    if held_out is not None and held_out.segmentation_class_names != names:
        raise ValueError(
            "The held-out images must have the classes of the training "
            "images; or leave them out (--validation_split=). "
            f"Received: {held_out.segmentation_class_names}, and {names}."
        )
    return source, held_out


def create_segmenter(source, pretrained=None) -> models.Segmenter:
    """Creates the model that the flags describe.

    Args:
        source: `data.Source` with classes of pixels.
        pretrained: backbone whose weights it gets, or None for fresh ones.

    Raises:
        ValueError: `pretrained` is another network.
    """
    backbone = model_flags.create_backbone(
        data_flags.image_size(), source.channels
    )
    if pretrained is not None:
        finetune_flags.transfer(pretrained, backbone)
    return models.Segmenter(
        backbone,
        len(source.segmentation_class_names),
        width=_PYRAMID_WIDTH.value,
        seed=run_flags.SEED.value,
    )


def training_stream(source) -> data.ImageStream:
    """Returns the augmented, shuffled stream of a run, with its masks."""
    return data_flags.training_stream(
        source, seed=run_flags.SEED.value, with_segmentation=True
    )


def evaluation_stream(source) -> data.ImageStream:
    """Returns the held-out images, with their masks."""
    return data_flags.evaluation_stream(
        source, seed=run_flags.SEED.value, with_segmentation=True
    )
