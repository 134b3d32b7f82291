"""Flags for a source of images: which one, and how its images are read."""

from absl import flags

from tf_simmim import data
from tf_simmim.data import bit_depth

DATASET = flags.DEFINE_string(
    "dataset",
    None,
    "Take images from this source: builtin:digits, builtin:photos, "
    "builtin:digit_scenes, folder:PATH, segmentation:PATH, "
    "coco:JSON[,FOLDER], tfds:NAME or tfrecord:GLOB. By default there is no "
    "source, and one must be named.",
    required=True,
)
SPLIT = flags.DEFINE_string(
    "split",
    None,
    "Take this split of --dataset, such as train, test or all. By default "
    "training takes train, or all where --dataset need not give the held-out "
    "images as well.",
)
DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "Look for the prepared data of tfds:NAME in this folder. By default it is "
    "the folder that TensorFlow Datasets uses.",
)
DATA_MANIFEST = flags.DEFINE_string(
    "data_manifest",
    None,
    "Use exactly the good files of this manifest, which check_data.py has "
    "written of the folder in --dataset. By default every file of the folder "
    "is tried.",
)
CHANNELS = flags.DEFINE_integer(
    "channels",
    None,
    "Decode images to this many channels: 1 for grey, 3 for colour. By "
    "default they keep what they have.",
    lower_bound=1,
)
MAX_PIXELS = flags.DEFINE_integer(
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
CHANGEABLE = ("data_dir", "max_bad_images")


def open_splits() -> dict:
    """Opens what training uses by default, or --split alone.

    Returns:
        dict: `train`, and as `test` the held-out images; or the one split.
    """
    splits = {"train": "train", "test": "validation"}
    if SPLIT.value:
        splits = {SPLIT.value: SPLIT.value}
    sources = {
        name: data.open_source(
            DATASET.value,
            split,
            data_dir=DATA_DIR.value,
            channels=CHANNELS.value,
            max_pixels=MAX_PIXELS.value,
            manifest=DATA_MANIFEST.value or None,
        )
        for name, split in splits.items()
    }
    bit_depth.warn(next(iter(sources.values())), MAX_PIXELS.value)
    return sources
