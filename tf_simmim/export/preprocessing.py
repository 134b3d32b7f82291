"""Image files to model input, inside the graph: what a server does first.

Dimension key:
  B: batch   H W: model input, px   C: channels
"""

import tensorflow as tf

from tf_simmim import data
from tf_simmim import run
from tf_simmim.data import normalization
from tf_simmim.data.sources import decoding

# A served model meets files of strangers: half of what training takes.
MAX_PIXELS = 25_000_000
_WHERE = ["(an image of this request)"]
_FILE_CHANNELS = (1, 3)
# Of the largest, each takes 300 MB as float.
_DECODED_AT_A_TIME = 4
# By the names that records have for them.
_CROPS = {
    crop.__name__: crop
    for crop in (data.ResizeAndCentreCrop, data.EvaluationCrop)
}


class Preprocessing:
    """Decodes, crops and normalises image files as evaluation does.

        x = normalize(crop(decode(file)))

    The operations are those that folders are read by, not other ones that do
    the same: what an odd file becomes (EXIF orientation, transparency, CMYK,
    16 bits, animations) is listed in docs/own_data.md, and holds here. Of the
    same file, training's held-out images and a served model see the same
    numbers.

    What can differ: `max_pixels` is lower than training's; a model that was
    trained on files of prepare.py saw images that were made smaller and
    encoded once more; and a server with other image libraries (another
    version of TensorFlow, another processor) may decode a JPEG to pixels that
    are one level off.

    Args:
        crop: callable, uint8 [*, *, C] -> float32 [H, W, C] on the 0..255
            scale, with `image_size`; such as `data.ResizeAndCentreCrop` or
            `data.EvaluationCrop`.
        normalization: `data.Normalization`.
        max_pixels: int > 0. Files with more pixels, by their header, are
            refused before they are decoded.

    Attributes:
        image_size: (H, W), px.
        channels: int, C.
        takes_files: bool. Whether there are files of so many channels.

    Raises:
        ValueError: `max_pixels` is not positive.
    """

    def __init__(self, crop, normalization, max_pixels=MAX_PIXELS):
        decoding.require_max_pixels(max_pixels)
        self.crop = crop
        self.normalization = normalization
        self.max_pixels = max_pixels
        self.image_size = tuple(crop.image_size)
        self.channels = len(normalization.mean)
        self.takes_files = self.channels in _FILE_CHANNELS

    @classmethod
    def of_record(
        cls, record, image_size, max_pixels=MAX_PIXELS
    ) -> "Preprocessing":
        """Returns what the held-out images of a run go through.

        Args:
            record: `run.InputRecord`. Where it has no mean and deviation,
                those of natural images are taken.
            image_size: (height, width), px, of the model at present.
            max_pixels: int > 0.

        Raises:
            ValueError: the record has a crop that is not known here.
        """
        options = dict(record.crop)
        name = options.pop("name")
        try:
            crop = _CROPS[name](image_size, **options)
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"`input.crop` must be one of {sorted(_CROPS)}, with its "
                f"arguments. Received: {record.crop}."
            ) from error
        return cls(crop, normalization_of(record), max_pixels)

    def decode(self, image_bytes) -> tf.Tensor:
        """Decodes and crops files.

        Args:
            image_bytes: string [B]. JPEG, PNG, GIF or BMP files.

        Returns:
            float32 [B, H, W, C], on the 0..255 scale.

        Raises:
            tf.errors.InvalidArgumentError: a file is no such image, cut off,
                damaged or too large.
        """
        shape = [*self.image_size, self.channels]

        def decode_one(contents):
            image = decoding.decode(
                contents, self.channels, _WHERE, self.max_pixels
            )
            return tf.ensure_shape(self.crop(image), shape)

        return tf.map_fn(
            decode_one,
            image_bytes,
            fn_output_signature=tf.TensorSpec(shape, tf.float32),
            parallel_iterations=_DECODED_AT_A_TIME,
        )  # [B, H, W, C]

    def normalize(self, pixels) -> tf.Tensor:
        """Makes model input, float32 [B, H, W, C], from 0..255 pixels."""
        return self.normalization.normalize(pixels)

    def to_pixels(self, images) -> tf.Tensor:
        """Takes model input or output back to the 0..255 scale.

        Unlike `data.Normalization.denormalize` it neither rounds nor clips.

        Args:
            images: float32 [B, H, W, C]. Normalised.

        Returns:
            float32 [B, H, W, C].
        """
        scale = [255.0 * std for std in self.normalization.std]
        shift = [255.0 * mean for mean in self.normalization.mean]
        return images * scale + shift

    def describe(self) -> dict:
        """Returns what a client has to know, JSON-able."""
        return {
            "image_size": list(self.image_size),
            "channels": self.channels,
            "formats": decoding.FORMATS if self.takes_files else None,
            "max_pixels": self.max_pixels,
            "crop": run.describe_crop(self.crop),
            "mean": list(self.normalization.mean),
            "std": list(self.normalization.std),
        }


def normalization_of(record) -> data.Normalization:
    """Returns the normalisation that a run was trained with.

    Args:
        record: `run.InputRecord`. Where it has no mean and deviation, those
            of natural images are taken.
    """
    mean, std = normalization.default_statistics(record.channels)
    return data.Normalization(record.mean or mean, record.std or std)
