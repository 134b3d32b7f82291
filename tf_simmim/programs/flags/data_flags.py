"""Flags for images: where they come from and how they are augmented."""

from absl import flags
from absl import logging

from tf_simmim import data
from tf_simmim.data import bit_depth
from tf_simmim.programs import split_rules

_DATASET = flags.DEFINE_string(
    "dataset",
    None,
    "Train on the images of this source: builtin:digits, builtin:photos, "
    "builtin:digit_scenes, folder:PATH, segmentation:PATH, "
    "coco:JSON[,FOLDER], tfds:NAME or tfrecord:GLOB. By default there is no "
    "source, and one must be named.",
    required=True,
)
_SPLIT = flags.DEFINE_string(
    "split",
    None,
    "Train on this split of --dataset, such as train, test or all. By default "
    "it is train, or all where --dataset need not give the held-out images as "
    "well.",
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
    "Train on exactly the good files of this manifest, which check_data.py "
    "has written of the folder in --dataset. By default every file of the "
    "folder is tried.",
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
_MAX_BAD_IMAGES = flags.DEFINE_integer(
    "max_bad_images",
    None,
    "Replace at most this many bad images of a source by others; one more "
    "ends the run. By default it is 100 or one image in a thousand, whichever "
    "is more.",
    lower_bound=0,
)
_DATA_SERVICE = flags.DEFINE_list(
    "data_service",
    None,
    "Let these servers make the training batches, HOST:PORT,HOST:PORT,...: "
    "machines on which data_server.py runs. The batches stay the same. By "
    "default this process makes them.",
)
IMAGE_SIZE = flags.DEFINE_list(
    "image_size",
    ["224"],
    "Give the model images of this size in pixels: SIDE or HEIGHT,WIDTH.",
)
_CROP_SCALE = flags.DEFINE_list(
    "crop_scale",
    ["0.67", "1.0"],
    "Crop training images at random to an area between these two fractions of "
    "the whole, MIN,MAX. There is no crop with 1,1 and --crop_ratio=1,1.",
)
_CROP_RATIO = flags.DEFINE_list(
    "crop_ratio",
    ["0.75", "1.3333333333"],
    "Crop training images at random to a width over height between these two "
    "numbers, MIN,MAX.",
)
_HORIZONTAL_FLIP = flags.DEFINE_bool(
    "horizontal_flip",
    True,
    "Mirror every second training image, chosen at random.",
)
_IMAGE_MEAN = flags.DEFINE_list(
    "image_mean",
    None,
    "Subtract this mean of pixels, on the scale from 0 to 1: one number for "
    "each channel. By default it is that of --pretrained, if there is any, or "
    "else the data set's own where it is known, or else ImageNet's.",
)
_IMAGE_STD = flags.DEFINE_list(
    "image_std",
    None,
    "Divide by this standard deviation of pixels, on the scale from 0 to 1: "
    "one number for each channel. By default it is chosen as --image_mean is.",
)
_IMAGE_DTYPE = flags.DEFINE_enum(
    "image_dtype",
    "float32",
    data.IMAGE_DTYPES,
    "Send training images to the device as this type. With uint8, a quarter "
    "of the bytes, pixels are rounded and normalised there.",
)
# A run may be continued with other values of these.
CHANGEABLE = (
    *("data_dir", "data_service", "max_bad_images", "num_validation_images"),
    *("validation_dataset", "validation_split"),
)


def _are_numbers(count, kind):
    def check(values):
        try:
            return len(values) in count and all(kind(v) > 0 for v in values)
        except ValueError:
            return False

    return check


flags.register_validator(
    "image_size",
    _are_numbers((1, 2), int),
    message="must be one or two positive whole numbers",
)
for _name in ("image_mean", "image_std"):
    flags.register_validator(
        _name,
        lambda values: (
            values is None or _are_numbers(range(1, 99), float)(values)
        ),
        message="must be positive numbers, one for each channel",
    )
for _name in ("crop_scale", "crop_ratio"):
    flags.register_validator(
        _name, _are_numbers((2,), float), message="must be two positive numbers"
    )


def image_size() -> tuple[int, int]:
    """Returns (height, width), px."""
    size = [int(side) for side in IMAGE_SIZE.value]
    return (size[0], size[-1])


def open_source(**options) -> data.Source:
    """Opens the images to train on, and records their statistics as flags.

    So a run's `flags.txt` holds the normalisation that it was trained with.
    An empty --data_manifest becomes none.

    Args:
        **options: more, of `data.open_source`.
    """
    flags.FLAGS[_DATA_MANIFEST.name].value = _DATA_MANIFEST.value or None
    split_rules.choose(flags.FLAGS[_SPLIT_RULES.name], _DATASET.value)
    source = data.open_source(
        _DATASET.value,
        split_names()["training"],
        data_dir=_DATA_DIR.value,
        channels=_CHANNELS.value,
        max_pixels=_MAX_PIXELS.value,
        manifest=_DATA_MANIFEST.value,
        split_rules=_SPLIT_RULES.value or 1,
        **options,
    )
    bit_depth.warn(source, _MAX_PIXELS.value)
    for flag, values in ((_IMAGE_MEAN, source.mean), (_IMAGE_STD, source.std)):
        if flag.value is None:
            flags.FLAGS[flag.name].value = [str(value) for value in values]
    return source


def open_validation_source(**options) -> data.Source | None:
    """Opens the source of held-out images, or returns None for none.

    Args:
        **options: more, of `data.open_source`.
    """
    if _VALIDATION_SPLIT.value == "":
        return None
    split_rules.choose(flags.FLAGS[_SPLIT_RULES.name], "")
    spec, manifest = _VALIDATION_DATASET.value, None
    if not spec:
        spec, manifest = _DATASET.value, _DATA_MANIFEST.value
    return data.open_source(
        spec,
        split_names()["held_out"],
        data_dir=_DATA_DIR.value,
        channels=_CHANNELS.value,
        max_pixels=_MAX_PIXELS.value,
        manifest=manifest,
        split_rules=_SPLIT_RULES.value or 1,
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


def normalization() -> data.Normalization:
    """Returns the run's normalisation, after `open_source`."""
    return data.Normalization(
        mean=_floats(_IMAGE_MEAN.value), std=_floats(_IMAGE_STD.value)
    )


def training_stream(
    source,
    *,
    random_mask=None,
    seed=0,
    size=None,
    create=None,
    with_segmentation=False,
    with_boxes=False,
) -> data.ImageStream:
    """Returns the augmented, shuffled stream of a run.

    Args:
        source: `data.Source`.
        random_mask: `masking.PatchMask` or None.
        seed: int.
        size: (height, width), px. Default: --image_size.
        create: function (size, crop_scale, crop_ratio, horizontal_flip) ->
            augmentation. Default: `data.PretrainingAugmentation`.
        with_segmentation: as of `data.ImageStream`.
        with_boxes: likewise.
    """
    augmentation = (create or data.PretrainingAugmentation)(
        size or image_size(),
        crop_scale=_floats(_CROP_SCALE.value),
        crop_ratio=_floats(_CROP_RATIO.value),
        horizontal_flip=_HORIZONTAL_FLIP.value,
    )
    return data.ImageStream(
        source,
        augmentation,
        normalization(),
        random_mask,
        seed=seed,
        max_bad_images=_MAX_BAD_IMAGES.value,
        image_dtype=_IMAGE_DTYPE.value,
        with_segmentation=with_segmentation,
        with_boxes=with_boxes,
    )


def training_batches(strategy, stream, batch_size, *, start_index=0, mix=None):
    """Returns the batches of a stream, from --data_service if there is one.

    Args:
        strategy: as in `data.distributed_batches`.
        stream: as there.
        batch_size: as there.
        start_index: as there.
        mix: as there.
    """
    if _DATA_SERVICE.value:
        logging.info(
            "Batches come from %s. None of these can replace a bad image: the "
            "first ends the run.",
            ", ".join(_DATA_SERVICE.value),
        )
    return data.distributed_batches(
        strategy,
        stream,
        batch_size,
        servers=_DATA_SERVICE.value,
        mix=mix,
        start_index=start_index,
    )


def evaluation_stream(
    source,
    *,
    random_mask=None,
    seed=0,
    replace_bad_images=True,
    size=None,
    crop=None,
    with_segmentation=False,
    with_boxes=False,
) -> data.ImageStream:
    """Returns the images of a source without augmentation.

    In an order of their own, always the same, so that the first ones are a
    fair sample of a source that is sorted by class. `crop` is what they go
    through, `data.ResizeAndCentreCrop` of the size by default.
    """
    return data.ImageStream(
        source,
        crop or data.ResizeAndCentreCrop(size or image_size()),
        normalization(),
        random_mask,
        seed=seed,
        max_bad_images=_MAX_BAD_IMAGES.value if replace_bad_images else 0,
        with_segmentation=with_segmentation,
        with_boxes=with_boxes,
    )


def first_elements(stream, num_elements):
    """Returns the first elements of a stream in one batch, normalised."""
    elements = next(iter(stream.batches(num_elements)))
    if stream.image_dtype == "uint8":
        image = stream.normalization.normalize(elements["image"])
        elements = {**elements, "image": image}
    return elements


def first_batches(stream, batch_size, num_images):
    """Returns at most the first `num_images` of a stream, in batches."""
    return stream.batches(
        batch_size,
        stop_index=min(len(stream.source), num_images),
        drop_remainder=False,
    )


def _floats(values):
    return tuple(float(value) for value in values or ())
