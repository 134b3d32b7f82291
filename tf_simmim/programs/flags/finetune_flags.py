"""Flags of fine-tuning: its weights, labels, augmentation and optimizer."""

import math
import re
from pathlib import Path

from absl import flags
from absl import logging

from tf_simmim import backbones
from tf_simmim import convert
from tf_simmim import data
from tf_simmim import models
from tf_simmim import training
from tf_simmim.programs import class_numbers
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import model_flags
from tf_simmim.programs.flags import run_flags

_PRETRAINED = flags.DEFINE_string(
    "pretrained",
    "",
    "Folder of the run of pretrain.py, or of weights that convert_weights.py "
    "has converted, whose backbone to begin with. Empty: from scratch.",
)
_NUM_LABELS = flags.DEFINE_integer(
    "num_labels",
    None,
    "Train on so many images alone, as many of each class, drawn from --seed. "
    "Default, and where it is empty: all.",
    lower_bound=1,
)
_RAND_AUGMENT_OPERATIONS = flags.DEFINE_integer(
    "rand_augment_operations",
    2,
    "Operations of RandAugment on each image; 0 for none.",
    lower_bound=0,
)
_RAND_AUGMENT_MAGNITUDE = flags.DEFINE_float(
    "rand_augment_magnitude", 9.0, "How strong they are.", 0.0, 10.0
)
_RAND_AUGMENT_STDDEV = flags.DEFINE_float(
    "rand_augment_stddev",
    0.5,
    "Standard deviation of that, from image to image.",
    lower_bound=0.0,
)
_ERASING_RATE = flags.DEFINE_float(
    "erasing_rate",
    0.25,
    "Images of which a random rectangle is erased.",
    0.0,
    1.0,
)
_MIXUP_ALPHA = flags.DEFINE_float(
    "mixup_alpha",
    0.8,
    "Mix pairs of images by Beta(alpha, alpha); 0 for no MixUp.",
    lower_bound=0.0,
)
_CUTMIX_ALPHA = flags.DEFINE_float(
    "cutmix_alpha",
    1.0,
    "Replace a box of images by their neighbours', as large as "
    "Beta(alpha, alpha) says; 0 for no CutMix.",
    lower_bound=0.0,
)
_MIX_RATE = flags.DEFINE_float(
    "mix_rate", 1.0, "Batches that either is done to.", 0.0, 1.0
)
_MIX_SWITCH_RATE = flags.DEFINE_float(
    "mix_switch_rate",
    0.5,
    "Of these, batches that CutMix is done to where there are both.",
    0.0,
    1.0,
)
_LABEL_SMOOTHING = flags.DEFINE_float(
    "label_smoothing",
    0.1,
    "Share of every label that goes to all classes alike.",
    0.0,
    0.999,
)
_CROP_FRACTION = flags.DEFINE_float(
    "crop_fraction",
    224 / 256,
    "Share of the shorter side of held-out images that is looked at.",
    0.01,
    1.0,
)
_LAYER_DECAY = flags.DEFINE_float(
    "layer_decay",
    1.0,
    "Learning rate of a layer over that of the next one; 1 for the same rate "
    "in all.",
    1e-6,
    1.0,
)
_EMA_MOMENTUM = flags.DEFINE_float(
    "ema_momentum",
    0.0,
    "Evaluate moving averages of the weights, which keep this share of "
    "themselves at each step; 0 for the weights themselves.",
    0.0,
    0.9999999,
)

# Bounds let NaN pass.
for _flag in (
    *(_RAND_AUGMENT_MAGNITUDE, _RAND_AUGMENT_STDDEV, _ERASING_RATE),
    *(_MIXUP_ALPHA, _CUTMIX_ALPHA, _MIX_RATE, _MIX_SWITCH_RATE),
    *(_LABEL_SMOOTHING, _CROP_FRACTION, _LAYER_DECAY, _EMA_MOMENTUM),
):
    flags.register_validator(
        _flag.name, math.isfinite, message="must be a finite number"
    )

# What other flags are by default when a network is fine-tuned: the reference's
# recipe, as far as it is one for all networks.
_DEFAULTS = {
    "name": "finetune",
    "crop_scale": "0.08,1",
    "drop_path_rate": 0.1,
    "base_learning_rate": 1.25e-3,
    "warmup_learning_rate": 2.5e-7,
    "min_learning_rate": 2.5e-7,
    "warmup_epochs": 20.0,
}
# Flags that are about hidden patches, and would do nothing here.
_OF_PRETRAINING = (
    *("mask_patch_size", "mask_ratio", "mask_strategy", "target"),
    *("reconstruction_loss", "head"),
    *("image_size_schedule", "mask_ratio_schedule"),
    *("mask_patch_size_schedule", "picture_every_steps", "num_pictures"),
)
# Statistics that a network has been pretrained with.
_STATISTICS = ("image_mean", "image_std")


def configure():
    """Makes the flags of this process those of a program that fine-tunes.

    To be called before they are parsed: flags of pretraining alone are unknown
    afterwards, and some others have other defaults.
    """
    for name in _OF_PRETRAINING:
        delattr(flags.FLAGS, name)
    for name, value in _DEFAULTS.items():
        flags.FLAGS.set_default(name, value)


def open_sources():
    """Opens the images to train on and those to be judged by.

    Returns:
        (`data.Source`, `data.Source` or None), whose class names agree.

    Raises:
        ValueError: they have no labels, those of other classes, or of one.
    """
    take_statistics()
    data_flags.refuse_shared_images()
    source = data_flags.open_source()
    held_out = data_flags.open_validation_source()
    class_numbers.name_classes(source, held_out)
    class_numbers.require_classes(
        source, held_out, "or leave them out (--validation_split=)"
    )
    if _NUM_LABELS.value is not None:
        source = data.FewLabels(source, _NUM_LABELS.value, run_flags.SEED.value)
    return source, held_out


def load_pretrained():
    """Loads the backbone of --pretrained, or returns None for none.

    Raises:
        ValueError, NoValidCheckpointError: it is not the folder of a run.
    """
    path = _PRETRAINED.value
    if not path:
        return None
    if Path(path).is_file():
        raise ValueError(
            "--pretrained must be the folder of a run of pretrain.py, or one "
            "that convert_weights.py makes of a file of weights. "
            f"Received a file: {path}."
        )
    return training.load_pretrained(path).backbone


def create_classifier(source, pretrained=None):
    """Creates the model that the flags describe.

    Args:
        source: `data.Source` with class names.
        pretrained: backbone whose weights it gets, or None for fresh ones.

    Raises:
        ValueError: `pretrained` is another network.
    """
    backbone = backbones.for_classification(
        model_flags.create_backbone(data_flags.image_size(), source.channels)
    )
    if pretrained is not None:
        transfer(pretrained, backbone)
    return models.Classifier(
        backbone,
        len(source.class_names),
        source.class_names,
        label_smoothing=_LABEL_SMOOTHING.value,
        seed=run_flags.SEED.value,
    )


def transfer(pretrained, backbone):
    """Gives a backbone the weights of --pretrained.

    Raises:
        ValueError: `pretrained` is another network.
    """
    path = _PRETRAINED.value
    if pretrained.channels != backbone.channels:
        raise ValueError(
            f"--channels must be {pretrained.channels}, as of the images that "
            f"{path} was pretrained on; then images are decoded so. Received: "
            f"images of {backbone.channels}."
        )
    try:
        report = convert.transfer_weights(pretrained, backbone)
    except ValueError as error:
        flags_file = Path(path) / "flags.txt"
        theirs = _lines_of(flags_file, model_flags.ARCHITECTURE_NAMES)
        raise ValueError(
            "The flags must describe the network of --pretrained, which has "
            f"{' '.join(theirs) or 'no flags.txt'}. {error}"
        ) from error
    logging.info("From %s: %s", path, report.summary())


def take_statistics():
    """Sets mean and deviation, unless given, to those of --pretrained.

    Or to those of the run that goes on, since --pretrained may have gone.
    """
    flags_file = run_flags.run_path() / "flags.txt"
    if not flags_file.is_file():
        flags_file = Path(_PRETRAINED.value) / "flags.txt"
    if not _PRETRAINED.value or any(
        flags.FLAGS[name].value is not None for name in _STATISTICS
    ):
        return
    for line in _lines_of(flags_file, _STATISTICS):
        name, _, value = line.removeprefix("--").partition("=")
        try:
            setattr(flags.FLAGS, name, value.split(","))
        except flags.IllegalFlagValueError as error:
            raise ValueError(
                f"{flags_file} must hold flags as a run has written them. "
                f"Received: {line!r}."
            ) from error


def _lines_of(flags_file, names):
    """Returns the lines of a run's flags.txt that set certain flags."""
    if not flags_file.is_file():
        return []
    text = flags_file.read_text(encoding="utf-8", errors="replace")
    names = "|".join(names)
    return [line[0] for line in re.finditer(rf"(?m)^--({names})=.*$", text)]


def training_stream(source):
    """Returns the augmented, shuffled stream of a run, without MixUp."""

    def create(size, **options):
        return data.FinetuningAugmentation(
            size,
            data_flags.normalization(),
            magnitude=_RAND_AUGMENT_MAGNITUDE.value,
            magnitude_stddev=_RAND_AUGMENT_STDDEV.value,
            num_operations=_RAND_AUGMENT_OPERATIONS.value,
            erasing_rate=_ERASING_RATE.value,
            **options,
        )

    return data_flags.training_stream(
        source, seed=run_flags.SEED.value, create=create
    )


def mix(source) -> data.MixUpCutMix:
    """Returns what is done to batches: MixUp, CutMix, smooth labels."""
    return data.MixUpCutMix(
        len(source.class_names),
        mixup_alpha=_MIXUP_ALPHA.value,
        cutmix_alpha=_CUTMIX_ALPHA.value,
        rate=_MIX_RATE.value,
        switch_rate=_MIX_SWITCH_RATE.value,
        label_smoothing=_LABEL_SMOOTHING.value,
    )


def evaluation_stream(source):
    """Returns the held-out images as the recipe looks at them."""
    crop = data.EvaluationCrop(data_flags.image_size(), _CROP_FRACTION.value)
    return data_flags.evaluation_stream(
        source, seed=run_flags.SEED.value, crop=crop
    )


def optimizer_options() -> dict:
    """Returns what `optimization_flags.create_optimizer` gets on top."""
    return {
        "layer_decay": _LAYER_DECAY.value if _LAYER_DECAY.value < 1 else None,
        "ema_momentum": _EMA_MOMENTUM.value or None,
    }
