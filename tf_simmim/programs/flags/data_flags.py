"""Flags for images: where they come from, and which are held out."""

from absl import flags

from tf_simmim import data
from tf_simmim.data import bit_depth
from tf_simmim.programs import split_rules

_DATASET = flags.DEFINE_string(
    "dataset",
    None,
    "Take images from this source: builtin:digits, builtin:photos, "
    "builtin:digit_scenes, folder:PATH, segmentation:PATH, "
    "coco:JSON[,FOLDER], tfds:NAME or tfrecord:GLOB. By default there is no "
    "source, and one must be named.",
    required=True,
)
_SPLIT = flags.DEFINE_string(
    "split",
    None,
    "Take this split of --dataset, such as train, test or all. By default "
    "training takes train, or all where --dataset need not give the held-out "
    "images as well.",
)
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
_DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "Look for the prepared data of tfds:NAME in this folder. By default it is "
    "the folder that TensorFlow Datasets uses.",
)
_DATA_MANIFEST = flags.DEFINE_string(
    "data_manifest",
    None,
    "Use exactly the good files of this manifest, which check_data.py has "
    "written of the folder in --dataset. By default every file of the folder "
    "is tried.",
)
_CHANNELS = flags.DEFINE_integer(
    "channels",
    None,
    "Decode images to this many channels: 1 for grey, 3 for colour. By "
    "default they keep what they have.",
    lower_bound=1,
)
_MAX_PIXELS = flags.DEFINE_integer(
    "max_pixels",
    50_000_000,
    "Count an image as bad when it has more pixels than this, by its header.",
    lower_bound=1,
)
MAX_BAD_IMAGES = flags.DEFINE_integer(
    "max_bad_images",
    None,
    "Replace at most this many bad images of a source by others; one more is "
    "an error. By default it is 100 or one image in a thousand, whichever is "
    "more.",
    lower_bound=0,
)
# A run may be continued with other values of these.
CHANGEABLE = (
    *("data_dir", "max_bad_images", "num_validation_images"),
    *("validation_dataset", "validation_split"),
)


def open_source(**options) -> data.Source:
    """Opens the images to train on.

    Args:
        **options: more, of `data.open_source`.
    """
    rules = split_rules.of_the_run(_SPLIT_RULES.value, _DATASET.value)
    source = data.open_source(
        _DATASET.value,
        split_names()["training"],
        data_dir=_DATA_DIR.value,
        channels=_CHANNELS.value,
        max_pixels=_MAX_PIXELS.value,
        manifest=_DATA_MANIFEST.value or None,
        split_rules=rules or 1,
        **options,
    )
    bit_depth.warn(source, _MAX_PIXELS.value)
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
        spec, manifest = _DATASET.value, _DATA_MANIFEST.value or None
    return data.open_source(
        spec,
        split_names()["held_out"],
        data_dir=_DATA_DIR.value,
        channels=_CHANNELS.value,
        max_pixels=_MAX_PIXELS.value,
        manifest=manifest,
        split_rules=split_rules.of_the_run(_SPLIT_RULES.value) or 1,
        **options,
    )


def split_names() -> dict[str, str]:
    """Returns the names of the splits in use, as `run.DataRecord` has them."""
    others = bool(_VALIDATION_DATASET.value)
    shares = _VALIDATION_SPLIT.value != "" and not others
    names = {"training": _SPLIT.value or ("train" if shares else "all")}
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
        _SPLIT.value != "all"
        or _VALIDATION_DATASET.value
        or _VALIDATION_SPLIT.value == ""
    ):
        return
    raise ValueError(
        "The training images must not hold the held-out ones: --split=train, "
        "or others to hold out (--validation_dataset=), or none "
        f"(--validation_split=). Received: --split=all of {_DATASET.value}, "
        "for both."
    )


def open_splits() -> dict:
    """Opens what training uses by default, or --split alone.

    Returns:
        dict: `train`, and as `test` the held-out images; or the one split.
    """
    splits = {"train": "train", "test": "validation"}
    if _SPLIT.value:
        splits = {_SPLIT.value: _SPLIT.value}
    sources = {
        name: data.open_source(
            _DATASET.value,
            split,
            data_dir=_DATA_DIR.value,
            channels=_CHANNELS.value,
            max_pixels=_MAX_PIXELS.value,
            manifest=_DATA_MANIFEST.value or None,
        )
        for name, split in splits.items()
    }
    bit_depth.warn(next(iter(sources.values())), _MAX_PIXELS.value)
    return sources


def decided() -> dict:
    """Returns the values that flags get when images are opened.

    What a run's settings hold in the place of what was given, so that it goes
    on with the same.

    Returns:
        dict {name of a flag: value as the flag has it, None for none}.
    """
    return {
        _DATA_MANIFEST.name: _DATA_MANIFEST.value or None,
        _SPLIT_RULES.name: split_rules.of_the_run(_SPLIT_RULES.value),
    }
