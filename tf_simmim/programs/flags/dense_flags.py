"""Flags that segmentation and detection share: the pyramid on a backbone."""

from absl import flags

from tf_simmim import data
from tf_simmim.programs import class_numbers
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import finetune_flags
from tf_simmim.programs.flags import model_flags
from tf_simmim.programs.flags import run_flags

PYRAMID_WIDTH = flags.DEFINE_integer(
    "pyramid_width",
    128,
    "Features of the maps between the backbone and what is predicted.",
    lower_bound=1,
)
NUM_DRAWN = flags.DEFINE_integer(
    "num_drawn",
    8,
    "Held-out images whose prediction is drawn in the end.",
    lower_bound=1,
)

_NUM_LABELLED_IMAGES = flags.DEFINE_integer(
    "num_labelled_images",
    None,
    "Images to train on, drawn by --seed: those that somebody has had the time "
    "to label. Default: all.",
    lower_bound=1,
)

# What other flags are by default.
_DEFAULTS = {"crop_scale": "0.25,1", "warmup_epochs": 5.0}
# Flags of fine-tuning that are about labels of whole images.
_OF_CLASSIFICATION = (
    *("num_labels", "label_smoothing", "crop_fraction", "erasing_rate"),
    *("rand_augment_operations", "rand_augment_magnitude"),
    *("rand_augment_stddev", "mixup_alpha", "cutmix_alpha", "mix_rate"),
    "mix_switch_rate",
)


def configure(**defaults):
    """Makes the flags of this process those of a program for dense tasks.

    To be called before they are parsed, as `finetune_flags.configure`.

    Args:
        **defaults: what flags of the program's own are by default.
    """
    finetune_flags.configure()
    for name in _OF_CLASSIFICATION:
        delattr(flags.FLAGS, name)
    for name, value in {**_DEFAULTS, **defaults}.items():
        flags.FLAGS.set_default(name, value)


def open_sources(names_of, rule, **options):
    """Opens the images to train on and those to be judged by.

    Args:
        names_of: function (`data.Source`) -> tuple of the names of what is to
            be told, or None.
        rule: str. The sentence that a source breaks whose names are None.
        **options: more, of `data.open_source`.

    Returns:
        (`data.Source`, `data.Source` or None), whose names agree.

    Raises:
        ValueError: they have no names, or not the same.
    """
    finetune_flags.take_statistics()
    data_flags.refuse_shared_images()
    source = data_flags.open_source(**options)
    held_out = data_flags.open_validation_source(**options)
    for each in (source, held_out):
        if each is not None and names_of(each) is None:
            raise ValueError(f"{rule} Received: {each.name}.")
    if held_out is not None and names_of(held_out) != names_of(source):
        raise ValueError(
            "The held-out images must have the classes of the training "
            "images; or leave them out (--validation_split=). "
            f"Received: {names_of(held_out)}, and {names_of(source)}."
        )
    class_numbers.warn_of_missing(source, held_out, names_of(source), "box")
    if _NUM_LABELLED_IMAGES.value is not None:
        source = data.FewImages(
            source, _NUM_LABELLED_IMAGES.value, run_flags.SEED.value
        )
    return source, held_out


def create_backbone(source, pretrained=None):
    """Creates the backbone that the flags describe.

    Args:
        source: `data.Source`.
        pretrained: backbone whose weights it gets, or None for fresh ones.

    Raises:
        ValueError: `pretrained` is another network.
    """
    backbone = model_flags.create_backbone(
        data_flags.image_size(), source.channels
    )
    if pretrained is not None:
        finetune_flags.transfer(pretrained, backbone)
    return backbone
