"""Image files that are looked at, and picture files that are written."""

import os
import pathlib
import sys

import numpy as np
import tensorflow as tf

from tf_simmim import data
from tf_simmim.data.sources import decoding
from tf_simmim.data.sources import folder_tree

BATCH_SIZE = 16


def require_files(paths) -> None:
    """Refuses a command line without images, or with a folder for one.

    Args:
        paths: list of str.

    Raises:
        ValueError: as said.
    """
    if not paths:
        raise ValueError("Name one or more image files.")
    for path in paths:
        if os.path.isdir(path):
            raise ValueError(
                "IMAGE must be a file: of a folder, name files in it, such as "
                f"{os.path.join(path, '*.jpg')}. Received the folder: {path}."
            )


def make_folder(path) -> None:
    """Makes a folder where there is none.

    Args:
        path: str.

    Raises:
        ValueError: that is not possible.
    """
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise ValueError(
            "Pictures go to a folder that exists or can be made. Received: "
            f"{path} ({error.strerror})."
        ) from error


def require_writable(path) -> None:
    """Refuses a file that could not be written, before work goes into it.

    Args:
        path: str. Of a file.

    Raises:
        ValueError: it is a folder, or its folder is missing or read-only.
    """
    folder = os.path.dirname(path) or "."
    if os.path.isdir(path) or not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(
            "A picture goes to a file in a folder that exists and can be "
            f"written to. Received: {path}."
        )


def read_image(path, backbone, normalization) -> tf.Tensor:
    """Reads an image, as large as a backbone sees it: its middle, resized.

    Args:
        path: str. A JPEG, PNG, GIF or BMP file, turned as its EXIF says, for
            1 or 3 channels; or a NumPy array, .npy, uint8 [H, W, channels].
        backbone: a backbone of `tf_simmim.backbones`.
        normalization: `data.Normalization`.

    Returns:
        float32 [height, width, channels]. Normalised.

    Raises:
        ValueError: there is no such image, or it is damaged; the message
            names the file.
    """
    channels = backbone.channels
    try:
        if path.lower().endswith(".npy"):
            pixels = _array(path, channels)
        else:
            decoding.require_colour_or_grey(channels)
            pixels = decoding.decode(
                pathlib.Path(path).read_bytes(), channels, [name(path)]
            )
    except OSError as error:
        raise ValueError(f"{name(path)}: {error.strerror}.") from error
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(f"{error.message}.") from error
    except ValueError as error:
        raise ValueError(f"{name(path)}: {error}") from error
    return normalization.normalize(
        data.ResizeAndCentreCrop(backbone.image_size)(pixels)
    )


def _array(path, channels):
    pixels = np.load(path, mmap_mode="r", allow_pickle=False)
    if pixels.dtype != np.uint8 or pixels.shape[2:] != (channels,):
        raise ValueError(
            f"An array must be uint8 [height, width, {channels}], as the model "
            f"takes it. Received: {pixels.dtype} {pixels.shape}."
        )
    num_pixels = pixels.shape[0] * pixels.shape[1]
    if not 0 < num_pixels <= decoding.MAX_PIXELS:
        raise ValueError(f"It must have pixels. Received: {pixels.shape}.")
    return tf.constant(np.array(pixels))


def read_images(paths, backbone, normalization):
    """Reads images, and goes on past those that are damaged or not there.

    Args:
        paths: sequence of str.
        backbone: as for `read_image`.
        normalization: as for `read_image`.

    Returns:
        (good paths, float32 [B, height, width, channels] or None for none,
        list of str: a sentence for each other path).
    """
    good, images, failures = [], [], []
    for path in paths:
        try:
            images.append(read_image(path, backbone, normalization))
            good.append(path)
        except ValueError as error:
            failures.append(str(error))
    return good, tf.stack(images) if images else None, failures


def batches(rows) -> list:
    """Cuts an array or a tensor into parts that a model takes at a time."""
    starts = range(0, len(rows), BATCH_SIZE)
    return [rows[start : start + BATCH_SIZE] for start in starts]


def name(path) -> str:
    """Returns the name of a file as a terminal and a picture can show it."""
    return folder_tree.printable(os.fsencode(path))


def exit_with(failures) -> None:
    """Ends the program with code 1 where there were images it could not use.

    Args:
        failures: list of str, from `read_images`.
    """
    if failures:
        lines = [f"  {line}" for line in failures]
        sys.exit("\n".join(["Error: images that could not be used:", *lines]))
