"""Flags for what a network sees of images: size, crops, numbers, batches."""

from absl import flags
from absl import logging

from tf_simmim import data
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import source_flags

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
CHANGEABLE = ("data_service",)


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


def normalization(source, mean=None, std=None) -> data.Normalization:
    """Returns how pixels become inputs: by the flags, or else as follows.

    Args:
        source: `data.Source`, whose own statistics are taken without others.
        mean: sequence of float, one for each channel, or None.
        std: likewise.
    """
    return data.Normalization(
        mean=_floats(_IMAGE_MEAN.value or mean or source.mean),
        std=_floats(_IMAGE_STD.value or std or source.std),
    )


def statistics_are_given() -> bool:
    """Tells whether --image_mean or --image_std is given."""
    return _IMAGE_MEAN.value is not None or _IMAGE_STD.value is not None


def decided(normalization) -> dict:
    """Returns the values that flags get when images are opened.

    Args:
        normalization: `data.Normalization` of the run.

    Returns:
        dict, as of `data_flags.decided`, with the statistics.
    """
    statistics = (
        (_IMAGE_MEAN, normalization.mean),
        (_IMAGE_STD, normalization.std),
    )
    return data_flags.decided() | {
        flag.name: flag.value or [str(number) for number in numbers]
        for flag, numbers in statistics
    }


def training_stream(
    source,
    normalization,
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
        normalization: `data.Normalization`.
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
        normalization,
        random_mask,
        seed=seed,
        max_bad_images=source_flags.MAX_BAD_IMAGES.value,
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
    normalization,
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
        normalization,
        random_mask,
        seed=seed,
        max_bad_images=source_flags.MAX_BAD_IMAGES.value
        if replace_bad_images
        else 0,
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
