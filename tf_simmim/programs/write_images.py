"""Writes images of a source as PNG files.

    python experiments/write_images.py --dataset=builtin:digits --split=test
        --image_dir=digits

    python experiments/write_images.py --run=runs/mine --num_images=24
        --image_dir=samples

For what takes image files, such as reconstruct.py and feature_pictures.py, and
for whoever wants to look at a data set, or at what a run is judged by: with
--run, its held-out images, from all over them. A file is named by the image's
place in the source and its class, if it has one: 0004_7.png.
"""

import os
import re

import numpy as np
import tensorflow as tf
from absl import flags
from absl import logging
from PIL import Image

from tf_simmim import visualization
from tf_simmim.programs import command_line
from tf_simmim.programs import image_files
from tf_simmim.programs import run_settings
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import source_flags
from tf_simmim.programs.flags import trained_run_flags

FLAGS = flags.FLAGS
for _name in ("dataset", "split", "data_dir", "channels", "max_pixels"):
    flags.declare_key_flag(_name)

_IMAGE_DIR = flags.DEFINE_string(
    "image_dir", "images", "Write the images to this folder."
)
_NUM_IMAGES = flags.DEFINE_integer(
    "num_images",
    1000,
    "Write at most this many images: the first of the split, or those of a "
    "run from all over its held-out ones.",
    lower_bound=1,
)
_LARGEST_SIDE = flags.DEFINE_integer(
    "largest_side",
    None,
    "Shrink images whose longer side has more pixels than this. By default "
    "none is shrunk.",
    lower_bound=1,
)


def main(argv):
    """Runs the program."""
    command_line.refuse_leftovers(argv)
    write()


@command_line.plain_errors()
def write():
    """Writes the files, and prints how many and where."""
    source = None
    if trained_run_flags.RUN.value:
        source = data_flags.open_validation_source()
    if source is None:
        source = data_flags.open_source()
    if source.channels not in (1, 3):
        raise ValueError(
            "--dataset must give grey or colour images. Received: "
            f"{source.name}, with {source.channels} channels."
        )
    image_files.make_folder(_IMAGE_DIR.value)
    num_written = 0
    for i, element in _elements(source, min(_NUM_IMAGES.value, len(source))):
        pixels = element["image"].numpy()
        if source.channels == 1:
            pixels = pixels[..., 0]
        path = os.path.join(_IMAGE_DIR.value, _file_name(source, i, element))
        visualization.write_png(path, _shrunk(pixels))
        num_written += 1
    print(
        f"{num_written} of {len(source)} images of {source.name}: "
        f"{_IMAGE_DIR.value}"
    )


def _elements(source, num_images):
    """Yields (place, image) of those to write."""
    if not source.random_access:
        for element in source.epoch(shuffle=False).take(num_images):
            yield int(element["index"]), element
        return
    for i in range(num_images):
        if trained_run_flags.RUN.value:
            i = i * len(source) // num_images
        try:
            element = source.read(tf.constant(i, tf.int64))
        except (OSError, ValueError, tf.errors.OpError) as error:
            if trained_run_flags.RUN.value:
                logging.warning("Not good: %s.", source.describe(i))
                continue
            raise ValueError(
                f"Every image must be good: {source.describe(i)} is not."
            ) from error
        yield i, element


def _shrunk(pixels):
    if not _LARGEST_SIDE.value or max(pixels.shape[:2]) <= _LARGEST_SIDE.value:
        return pixels
    image = Image.fromarray(pixels)
    image.thumbnail([_LARGEST_SIDE.value] * 2, Image.Resampling.LANCZOS)
    return np.asarray(image)


def _file_name(source, i, element):
    class_name = ""
    if source.class_names is not None and "label" in element:
        # A class may be named by anything, by a path as well.
        name = source.class_names[int(element["label"])]
        class_name = "_" + re.sub(r"[^\w-]", "_", name, flags=re.ASCII)
    return f"{i:04d}{class_name}.png"


def launch(argv):
    """Runs the program, and ends the process.

    Args:
        argv: list of str. The command line, program name first.
    """
    command_line.run(
        main,
        with_images_of_run(argv),
        flag_groups=(trained_run_flags,),
    )


def with_images_of_run(argv):
    """Returns `argv` with what the run in --run says of its images put first.

    Args:
        argv: list of str. The command line, program name first.
    """
    names = {
        flag.name
        for group in (data_flags, source_flags)
        for flag in flags.FLAGS.get_flags_for_module(group)
    }
    return run_settings.with_settings(argv, "run", names)
