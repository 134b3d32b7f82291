"""Pictures of nothing, as files: to warm a server up and to check it with.

Dimension key:
  H W: image, px   C: channels
"""

import numpy as np
import tensorflow as tf


def sample_images(image_size, channels: int, num_images: int) -> list[bytes]:
    """Makes image files, always the same, each larger than a model's input.

    JPEG and PNG in turn, of different shapes; colours that change smoothly,
    as in photographs.

    Args:
        image_size: (height, width), px, of the model's input.
        channels: int, 1 or 3.
        num_images: int.

    Returns:
        list of bytes, image files.
    """
    files = []
    for number in range(num_images):
        grown = 8 * (number % 5)
        shape = (image_size[0] + 9 + grown, image_size[1] + 33 - grown)
        pixels = tf.constant(sample_pixels(shape, channels, number))
        if number % 2:
            files.append(tf.io.encode_png(pixels).numpy())
        else:
            files.append(tf.io.encode_jpeg(pixels, quality=90).numpy())
    return files


def sample_pixels(image_size, channels: int, number: int) -> np.ndarray:
    """Returns uint8 [H, W, C], waves that differ with `number`."""
    rows = np.arange(image_size[0])[:, np.newaxis, np.newaxis]
    columns = np.arange(image_size[1])[np.newaxis, :, np.newaxis]
    channel = np.arange(channels)[np.newaxis, np.newaxis, :]
    phase = 0.9 * number + 1.3 * channel
    waves = np.sin(0.11 * rows + phase) + np.sin(0.07 * columns - 2 * phase)
    return np.round(127.5 + 63.0 * waves).astype(np.uint8)  # [H, W, C]
