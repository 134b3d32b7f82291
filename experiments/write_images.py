"""Writes images of a source as PNG files.

    python experiments/write_images.py --dataset=builtin:digits --split=test
        --image_dir=digits

For what takes image files, such as reconstruct.py and feature_pictures.py, and
for whoever wants to look at a data set. A file is named by the image's place
in the source and its class, if it has one: 0004_7.png.
"""

import os
import re
import sys

import command_line
import data_flags
import picture_inputs
from absl import app
from absl import flags

import tf_simmim  # noqa: F401  (sets TensorFlow up; before TensorFlow itself)
from tf_simmim import visualization

# isort: split
import tensorflow as tf

FLAGS = flags.FLAGS
for _name in ("dataset", "split", "data_dir", "channels", "max_pixels"):
    flags.declare_key_flag(_name)

_IMAGE_DIR = flags.DEFINE_string(
    "image_dir", "images", "Folder to write the images to."
)
_NUM_IMAGES = flags.DEFINE_integer(
    "num_images",
    1000,
    "Images to write at most, the first of the split.",
    lower_bound=1,
)


def main(argv):
    """Runs the program."""
    command_line.refuse_leftovers(argv)
    write()


@command_line.plain_errors()
def write():
    """Writes the files, and prints how many and where."""
    source = data_flags.open_source()
    if not source.random_access or source.channels not in (1, 3):
        raise ValueError(
            "--dataset must give any image at once, and grey or colour ones: "
            "builtin:NAME, folder:PATH or TensorFlow Datasets prepared as "
            f"array_record. Received: {source.name}, with {source.channels} "
            "channels."
        )
    picture_inputs.make_folder(_IMAGE_DIR.value)
    num_images = min(_NUM_IMAGES.value, len(source))
    for i in range(num_images):
        try:
            element = source.read(tf.constant(i, tf.int64))
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise ValueError(
                f"Every image must be good: {source.describe(i)} is not."
            ) from error
        pixels = element["image"].numpy()
        if source.channels == 1:
            pixels = pixels[..., 0]
        path = os.path.join(_IMAGE_DIR.value, _file_name(source, i, element))
        visualization.write_png(path, pixels)
    print(
        f"{num_images} of {len(source)} images of {source.name}: "
        f"{_IMAGE_DIR.value}"
    )


def _file_name(source, i, element):
    class_name = ""
    if source.class_names is not None and "label" in element:
        # A class may be named by anything, by a path as well.
        name = source.class_names[int(element["label"])]
        class_name = "_" + re.sub(r"[^\w-]", "_", name, flags=re.ASCII)
    return f"{i:04d}{class_name}.png"


if __name__ == "__main__":
    app.run(main, argv=command_line.resolve(sys.argv))
