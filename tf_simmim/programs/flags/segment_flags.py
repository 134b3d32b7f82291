"""Flags of segmentation: whose classes, and the network on the backbone."""

from absl import flags

from tf_simmim import data
from tf_simmim import models
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import dense_flags
from tf_simmim.programs.flags import run_flags

_SEGMENTATION_CLASS_NAMES = flags.DEFINE_list(
    "segmentation_class_names",
    None,
    "Names of the classes 0, 1, 2, ... in the masks of tfds:NAME, where the "
    "data set does not name them itself.",
)
_CLASS_WEIGHTS = flags.DEFINE_list(
    "class_weights",
    None,
    "How much a pixel of each class counts in the loss: a positive number for "
    "each, in the order of their names. Default: all the same.",
)


def configure():
    """Makes the flags of this process those of a program that segments.

    To be called before they are parsed, as `finetune_flags.configure`.
    """
    dense_flags.configure(name="segment")


def open_sources():
    """Opens the images to train on and those to be judged by.

    Returns:
        (`data.Source`, `data.Source` or None), whose classes agree.

    Raises:
        ValueError: their pixels have no classes, not the same, or one.
    """
    source, held_out = dense_flags.open_sources(
        lambda source: source.segmentation_class_names,
        "The pixels of the images must have classes, as in "
        "builtin:digit_scenes, segmentation:PATH, or tfds:NAME with masks "
        "whose classes have names (else: --segmentation_class_names).",
        segmentation_class_names=_SEGMENTATION_CLASS_NAMES.value,
    )
    names = source.segmentation_class_names
    if len(names) < 2:
        raise ValueError(
            "Pixels must have two classes or more, to tell one from another. "
            f"Received: {source.name} with {', '.join(names)} alone."
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
    return models.Segmenter(
        dense_flags.create_backbone(source, pretrained),
        len(source.segmentation_class_names),
        width=dense_flags.PYRAMID_WIDTH.value,
        seed=run_flags.SEED.value,
        class_weights=_class_weights(source.segmentation_class_names),
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


def _class_weights(names):
    given = _CLASS_WEIGHTS.value
    if given is None:
        return None
    try:
        weights = [float(weight) for weight in given]
        is_right = len(weights) == len(names) and min(weights) > 0
    except ValueError:
        is_right = False
    if not is_right:
        raise ValueError(
            f"--class_weights must be {len(names)} positive numbers, for "
            f"{', '.join(names)}. Received: {','.join(given)}."
        )
    return weights
