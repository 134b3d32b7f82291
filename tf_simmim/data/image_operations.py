"""The operations of RandAugment on the pixels of one image.

keras-cv does those that it has as in the reference (Pillow's), through the
pure half of its layers: `augment_images(images, transformations)`. Of the
others it has none (`solarize_add`, `invert`), or others under the same name:

    equalize    its step leaves out the rarest value, not the largest one
    contrast    it keeps the mean of each channel, not that of the grey image
    brightness  it adds, and does not multiply
    posterize   its bits are an argument of the layer, the same for all images

Dimension key:
  H W: image, px   C: channels
"""

import math

import tensorflow as tf

_ANY_CHANNELS = (
    "auto_contrast",
    "equalize",
    "invert",
    "rotate",
    "posterize",
    "solarize",
    "solarize_add",
    "contrast",
    "brightness",
    "sharpness",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
)
_GREY_WEIGHTS = (0.299, 0.587, 0.114)  # ITU-R 601-2, as in Pillow


def names(channels: int) -> tuple[str, ...]:
    """Returns the operations that there are for images of so many channels."""
    return (*_ANY_CHANNELS, "color") if channels == 3 else _ANY_CHANNELS


class ImageOperations:
    """Operations by name; each a function of its arguments alone.

    Args:
        fill: sequence of float, one a channel, on the 0..255 scale: what a
            turned or moved image leaves free. Its length may be 1.

    Raises:
        ImportError: keras-cv is not installed.
    """

    def __init__(self, fill):
        # Imported here: it takes seconds, and only fine-tuning needs it.
        from keras_cv import layers

        self._fill = [float(value) for value in fill]
        # Their factors are never drawn from: transformations are given.
        # float32 whatever the model's precision is.
        turned = {"fill_mode": "constant", "dtype": "float32"}
        pixels = {"value_range": (0, 255), "dtype": "float32"}
        self._auto_contrast = layers.AutoContrast(**pixels)
        self._solarization = layers.Solarization(**pixels)
        self._sharpness = layers.RandomSharpness(0.0, **pixels)
        self._color = layers.RandomColorDegeneration(0.0, dtype="float32")
        self._rotation = layers.RandomRotation(0.0, **turned)
        self._shear = layers.RandomShear(0.0, 0.0, **turned)
        self._translation = layers.RandomTranslation(0.0, 0.0, **turned)

    def apply(self, name, image, level, sign) -> tf.Tensor:
        """Applies one operation.

        Args:
            name: str, one of `names`.
            image: float32 [H, W, C], in 0..255.
            level: float32 [], in [0, 1]. How much.
            sign: float32 [], 1 or -1. In which direction, if it has any.

        Returns:
            float32 [H, W, C], in 0..255.
        """
        return getattr(self, f"_apply_{name}")(image, level, sign)

    def _apply_auto_contrast(self, image, level, sign):
        return self._auto_contrast.augment_images(image[tf.newaxis])[0]

    def _apply_equalize(self, image, level, sign):
        num_pixels = image.shape[0] * image.shape[1]
        values = tf.cast(tf.reshape(image, [num_pixels, -1]), tf.int32)
        values = tf.transpose(values)  # [C, H * W]
        counts = tf.math.bincount(values, minlength=256, maxlength=256, axis=-1)
        largest = tf.reduce_max(values, axis=-1, keepdims=True)
        num_largest = tf.gather(counts, largest, batch_dims=1)
        step = (num_pixels - num_largest) // 255  # [C, 1]
        before = tf.cumsum(counts, axis=-1, exclusive=True)
        table = (before + step // 2) // tf.maximum(step, 1)
        table = tf.where(step > 0, tf.minimum(table, 255), tf.range(256))
        equalized = tf.gather(table, values, batch_dims=1)
        equalized = tf.reshape(tf.transpose(equalized), image.shape)
        return tf.cast(equalized, tf.float32)

    def _apply_invert(self, image, level, sign):
        return 255.0 - image

    def _apply_posterize(self, image, level, sign):
        bits = 4.0 - tf.floor(4.0 * level)
        step = tf.pow(2.0, 8.0 - bits)
        return tf.floor(image / step) * step

    def _apply_solarize(self, image, level, sign):
        threshold = 256.0 - tf.floor(256.0 * level)
        transformations = {"additions": 0.0, "thresholds": threshold}
        return self._solarization.augment_images(
            image[tf.newaxis], transformations
        )[0]

    def _apply_solarize_add(self, image, level, sign):
        added = tf.minimum(image + tf.floor(110.0 * level), 255.0)
        return tf.where(image < 128.0, added, image)

    def _apply_color(self, image, level, sign):
        # keras-cv counts from the image to grey, Pillow from grey on.
        return self._color.augment_images(
            image[tf.newaxis], 1.0 - _factor(level, sign)
        )[0]

    def _apply_contrast(self, image, level, sign):
        grey = tf.reduce_mean(image, axis=-1)
        if image.shape[-1] == 3:
            grey = tf.tensordot(image, tf.constant(_GREY_WEIGHTS), 1)
        mean = tf.round(tf.reduce_mean(grey))
        changed = mean + _factor(level, sign) * (image - mean)
        return tf.clip_by_value(changed, 0.0, 255.0)

    def _apply_brightness(self, image, level, sign):
        return tf.clip_by_value(_factor(level, sign) * image, 0.0, 255.0)

    def _apply_sharpness(self, image, level, sign):
        return self._sharpness.augment_images(
            image[tf.newaxis], 1.0 - _factor(level, sign)
        )[0]

    def _apply_rotate(self, image, level, sign):
        angle = sign * level * (30.0 / 180.0 * math.pi)
        return self._move(image, self._rotation, {"angles": angle[tf.newaxis]})

    def _apply_shear_x(self, image, level, sign):
        shear = tf.reshape(0.3 * sign * level, [1, 1])
        transformations = {"shear_x": shear, "shear_y": None}
        return self._move(image, self._shear, transformations)

    def _apply_shear_y(self, image, level, sign):
        shear = tf.reshape(0.3 * sign * level, [1, 1])
        transformations = {"shear_x": None, "shear_y": shear}
        return self._move(image, self._shear, transformations)

    def _apply_translate_x(self, image, level, sign):
        share = tf.reshape(0.45 * sign * level, [1, 1])
        zero = tf.zeros([1, 1])
        transformations = {
            "width_translations": share,
            "height_translations": zero,
        }
        return self._move(image, self._translation, transformations)

    def _apply_translate_y(self, image, level, sign):
        share = tf.reshape(0.45 * sign * level, [1, 1])
        zero = tf.zeros([1, 1])
        transformations = {
            "width_translations": zero,
            "height_translations": share,
        }
        return self._move(image, self._translation, transformations)

    def _move(self, image, layer, transformations):
        # A layer fills with one number for all channels: 0, of an image whose
        # zero is the fill.
        moved = layer.augment_images(
            (image - self._fill)[tf.newaxis], transformations
        )[0]
        return tf.clip_by_value(moved + self._fill, 0.0, 255.0)


def _factor(level, sign):
    """Returns how far to go from the plain image, 1 being the image itself."""
    return tf.maximum(0.1, 1.0 + 0.9 * sign * level)
