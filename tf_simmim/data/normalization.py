"""Normalisation of pixels: the one place that fixes what a model is fed.

Dimension key:
  H W: image, px   C: channels
"""

import tensorflow as tf

# Per channel (red, green, blue), on the 0..1 scale.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def default_statistics(channels: int) -> tuple[tuple, tuple]:
    """Returns (mean, std) for natural images with that many channels.

    ImageNet's for three channels; for any other number, the average of
    ImageNet's three in every channel (0.449 and 0.226).
    """
    if channels == len(IMAGENET_MEAN):
        return IMAGENET_MEAN, IMAGENET_STD
    mean = round(sum(IMAGENET_MEAN) / 3, 3)
    std = round(sum(IMAGENET_STD) / 3, 3)
    return (mean,) * channels, (std,) * channels


class Normalization:
    """Shifts and scales each channel to about zero mean and unit variance.

        normalize(x)   = (x / 255 - mean) / std
        denormalize(y) = 255 * (y * std + mean), rounded, clipped to 0..255

    Training, evaluation and export all use this class, so that a served model
    sees the numbers that it was trained on.

    Args:
        mean: sequence of float, one a channel, on the 0..1 scale. Default:
            ImageNet's.
        std: sequence of float > 0, one a channel, on the 0..1 scale. Default:
            ImageNet's.

    Raises:
        ValueError: `mean` and `std` differ in length or are empty, or a `std`
            is not positive.
    """

    def __init__(self, mean=IMAGENET_MEAN, std=IMAGENET_STD):
        mean = tuple(float(value) for value in mean)
        std = tuple(float(value) for value in std)
        if not mean or len(mean) != len(std):
            raise ValueError(
                "`mean` and `std` must have one number for each channel. "
                f"Received: mean={mean}, std={std}."
            )
        if not all(value > 0 for value in std):
            raise ValueError(f"`std` must be positive. Received: {std}.")
        self.mean = mean
        self.std = std
        # Multiplied, since graphs replace a division by a constant, and then
        # differ from eager mode in the last bit.
        self._scale = [1 / (255 * value) for value in std]
        self._shift = [mean[i] / std[i] for i in range(len(mean))]
        self._pixel_scale = [255 * value for value in std]
        self._pixel_shift = [255 * value for value in mean]

    def normalize(self, image) -> tf.Tensor:
        """Makes model input from pixels.

        Args:
            image: uint8 or float [..., C], on the 0..255 scale.

        Returns:
            float32 [..., C].

        Raises:
            ValueError: `image` has another number of channels.
        """
        image = tf.convert_to_tensor(image)
        self._require_channels(image)
        return tf.cast(image, tf.float32) * self._scale - self._shift

    def denormalize(self, image) -> tf.Tensor:
        """Makes pixels from model input or model output.

        Args:
            image: float [..., C], normalised.

        Returns:
            uint8 [..., C], on the 0..255 scale.

        Raises:
            ValueError: `image` has another number of channels.
        """
        image = tf.convert_to_tensor(image)
        self._require_channels(image)
        image = tf.cast(image, tf.float32)
        image = tf.round(image * self._pixel_scale + self._pixel_shift)
        return tf.cast(tf.clip_by_value(image, 0.0, 255.0), tf.uint8)

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {"mean": self.mean, "std": self.std}

    def _require_channels(self, image):
        # A single mean would broadcast over any number of channels.
        if image.shape[-1] not in (None, len(self.mean)):
            raise ValueError(
                f"`image` must have {len(self.mean)} channels, one for each "
                f"`mean`. Received shape: {image.shape}."
            )
