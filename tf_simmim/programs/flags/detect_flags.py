"""Flags of detection: whose boxes, and the network on the backbone."""

from absl import flags

from tf_simmim import data
from tf_simmim import models
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import dense_flags
from tf_simmim.programs.flags import run_flags

_NUM_CONVOLUTIONS = flags.DEFINE_integer(
    "num_convolutions",
    4,
    "Convolutions of the tower that tells classes, and of the one that tells "
    "boxes.",
    lower_bound=0,
)
MIN_CONFIDENCE = flags.DEFINE_float(
    "min_confidence",
    0.5,
    "Detections that are drawn in the end are this sure, or surer. All count "
    "in the scores.",
    0.0,
    1.0,
)


def configure():
    """Makes the flags of this process those of a program that detects.

    To be called before they are parsed, as `finetune_flags.configure`.
    """
    dense_flags.configure(name="detect", pyramid_width=256)


def open_sources():
    """Opens the images to train on and those to be judged by.

    Returns:
        (`data.Source`, `data.Source` or None), whose classes agree.

    Raises:
        ValueError: they have no boxes, or those of other classes.
    """
    return dense_flags.open_sources(
        lambda source: source.box_class_names,
        "The images must have boxes around their objects, as in "
        "builtin:digit_scenes or coco:JSON.",
    )


def create_detector(source, pretrained=None) -> models.Detector:
    """Creates the model that the flags describe.

    Args:
        source: `data.Source` with boxes.
        pretrained: backbone whose weights it gets, or None for fresh ones.

    Raises:
        ValueError: `pretrained` is another network.
    """
    return models.Detector(
        dense_flags.create_backbone(source, pretrained),
        len(source.box_class_names),
        width=dense_flags.PYRAMID_WIDTH.value,
        num_convolutions=_NUM_CONVOLUTIONS.value,
        seed=run_flags.SEED.value,
    )


def training_stream(source) -> data.ImageStream:
    """Returns the augmented, shuffled stream of a run, with its boxes."""
    return data_flags.training_stream(
        source, seed=run_flags.SEED.value, with_boxes=True
    )


def evaluation_stream(source) -> data.ImageStream:
    """Returns the held-out images, with their boxes."""
    return data_flags.evaluation_stream(
        source, seed=run_flags.SEED.value, with_boxes=True
    )
