"""Flags for images to train on and to hold out, of `source_flags`' source."""

from absl import flags

from tf_simmim import data
from tf_simmim.data import bit_depth
from tf_simmim.programs import split_rules
from tf_simmim.programs.flags import source_flags

_VALIDATION_DATASET = flags.DEFINE_string(
    "validation_dataset",
    None,
    "Take held-out images from this source, which is written like --dataset. "
    "By default it is --dataset itself.",
)
_VALIDATION_SPLIT = flags.DEFINE_string(
    "validation_split",
    None,
    "Use this split of held-out images for the validation loss, scores and "
    "pictures; an empty value holds none out. By default it is all of "
    "--validation_dataset, or else validation of --dataset, which is its test "
    "split where it has no other.",
)
_SPLIT_RULES = flags.DEFINE_integer(
    "split_rules",
    None,
    "Hold images of folders and of coco:JSON out by the rules of this number: "
    "2, or 1 for those from before they had numbers. By default a run keeps "
    "the rules that it began with, and a new run takes 2.",
    lower_bound=1,
    upper_bound=2,
)
NUM_VALIDATION_IMAGES = flags.DEFINE_integer(
    "num_validation_images",
    2048,
    "Use at most this many held-out images.",
    lower_bound=1,
)
# A run may be continued with other values of these.
CHANGEABLE = (
    "num_validation_images",
    "validation_dataset",
    "validation_split",
)


def open_source(**options) -> data.Source:
    """Opens the images to train on.

    Args:
        **options: more, of `data.open_source`.
    """
    rules = split_rules.of_the_run(
        _SPLIT_RULES.value, source_flags.DATASET.value
    )
    source = data.open_source(
        source_flags.DATASET.value,
        split_names()["training"],
        data_dir=source_flags.DATA_DIR.value,
        channels=source_flags.CHANNELS.value,
        max_pixels=source_flags.MAX_PIXELS.value,
        manifest=source_flags.DATA_MANIFEST.value or None,
        split_rules=rules or 1,
        **options,
    )
    bit_depth.warn(source, source_flags.MAX_PIXELS.value)
    return source


def open_validation_source(**options) -> data.Source | None:
    """Opens the source of held-out images, or returns None for none.

    Args:
        **options: more, of `data.open_source`.
    """
    if _VALIDATION_SPLIT.value == "":
        return None
    spec, manifest = _VALIDATION_DATASET.value, None
    if not spec:
        spec, manifest = (
            source_flags.DATASET.value,
            source_flags.DATA_MANIFEST.value or None,
        )
    return data.open_source(
        spec,
        split_names()["held_out"],
        data_dir=source_flags.DATA_DIR.value,
        channels=source_flags.CHANNELS.value,
        max_pixels=source_flags.MAX_PIXELS.value,
        manifest=manifest,
        split_rules=split_rules.of_the_run(_SPLIT_RULES.value) or 1,
        **options,
    )


def split_names() -> dict[str, str]:
    """Returns the names of the splits in use, as `run.DataRecord` has them."""
    others = bool(_VALIDATION_DATASET.value)
    shares = _VALIDATION_SPLIT.value != "" and not others
    names = {
        "training": source_flags.SPLIT.value or ("train" if shares else "all")
    }
    if _VALIDATION_SPLIT.value != "":
        default = "all" if others else "validation"
        names["held_out"] = _VALIDATION_SPLIT.value or default
    return names


def refuse_shared_images() -> None:
    """Refuses to train on what is to be held out.

    Raises:
        ValueError: --split is all of --dataset, which is to give the held-out
            images, too.
    """
    if (
        source_flags.SPLIT.value != "all"
        or _VALIDATION_DATASET.value
        or _VALIDATION_SPLIT.value == ""
    ):
        return
    raise ValueError(
        "The training images must not hold the held-out ones: --split=train, "
        "or others to hold out (--validation_dataset=), or none "
        "(--validation_split=). Received: --split=all of "
        f"{source_flags.DATASET.value}, for both."
    )


def decided() -> dict:
    """Returns the values that flags get when images are opened.

    What a run's settings hold in the place of what was given, so that it goes
    on with the same.

    Returns:
        dict {name of a flag: value as the flag has it, None for none}.
    """
    return {
        source_flags.DATA_MANIFEST.name: source_flags.DATA_MANIFEST.value
        or None,
        _SPLIT_RULES.name: split_rules.of_the_run(_SPLIT_RULES.value),
    }
