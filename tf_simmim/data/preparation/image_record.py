"""Turns an image of a source into the bytes of a record.

Dimension key:
  H W: image as read, px   h w: image as stored, px   C: channels
"""

import os

import tensorflow as tf

from tf_simmim.data import order

FORMATS = ("jpeg", "png")


class ImageRecord:
    """Makes a `tf.train.Example` of an image, smaller than it was.

    The short side becomes `short_side` and the long one follows; an image
    whose short side is no longer than that keeps its size: nothing is ever
    enlarged. The resize is bicubic (Catmull-Rom) with antialiasing, in
    float32, then rounded and clipped to 0..255; training's own random crop is
    resized again, so the sharper filter stands here. An image whose three
    channels agree everywhere is stored as grey, and comes out as it was.

    Features: `image/encoded`, `image/format` ("jpeg" or "png"),
    `image/height` and `image/width` (px, as stored), `image/filename` (where
    it came from), and with labels `image/class/label` and, if the classes
    have names, `image/class/text`.

    Args:
        source: `Source` of 1 or 3 channels.
        short_side: int >= 0, px. 0: every image keeps its size.
        image_format: "jpeg" or "png" (without loss).
        quality: int, 1 to 100, of JPEG; colours have half the resolution
            (4:2:0), as is usual.

    Call arguments:
        element: of `elements`.

    Returns:
        bytes.

    Raises:
        ValueError: an argument breaks its rule above.
        tf.errors.OpError, OSError, ValueError: from a call: the image is bad.
    """

    def __init__(self, source, short_side=256, image_format="jpeg", quality=90):
        if source.channels not in (1, 3):
            raise ValueError(
                "Images to prepare must have 1 or 3 channels. "
                f"Received: {source.name}, with {source.channels}."
            )
        if short_side < 0:
            raise ValueError(
                "`short_side` must be positive, or 0 for images as they are. "
                f"Received: {short_side}."
            )
        if image_format not in FORMATS:
            raise ValueError(
                f"`image_format` must be one of {', '.join(FORMATS)}. "
                f"Received: {image_format!r}."
            )
        if not 1 <= quality <= 100:
            raise ValueError(
                f"`quality` must lie in 1..100. Received: {quality}."
            )
        self.source = source
        self.short_side = short_side
        self.image_format = image_format
        self.quality = quality
        # As in the user's own words, without the folder's place on the disk.
        self._root = os.path.join(
            os.path.expanduser(source.name.partition(":")[2]), ""
        )
        spec = self.elements(None, shuffle=False).element_spec
        self._encode = tf.function(self._encoded, input_signature=[spec])

    def elements(self, order_seed, shuffle=True) -> tf.data.Dataset:
        """Yields what a call takes, one for each image, not decoded yet.

        Args:
            order_seed: int64 [2]. The order is a function of it alone.
            shuffle: bool. False: in the order of the source.
        """
        if not self.source.random_access:
            return self.source.records(order_seed, shuffle)
        num_images = len(self.source)
        positions = tf.data.Dataset.range(num_images)
        if not shuffle:
            return positions
        return positions.map(
            lambda position: order.shuffled(position, num_images, order_seed)
        )

    def __call__(self, element):
        encoded, size, label = self._encode(element)
        features = {
            "image/encoded": encoded.numpy(),
            "image/format": self.image_format.encode(),
            "image/height": int(size[0]),
            "image/width": int(size[1]),
            "image/filename": self.name_of(element).encode(),
        }
        if label is not None:
            features["image/class/label"] = label = int(label)
            names = self.source.class_names
            if names is not None and 0 <= label < len(names):
                features["image/class/text"] = os.fsencode(names[label])
        example = tf.train.Features(
            feature={key: _feature(value) for key, value in features.items()}
        )
        # A map has no order of its own.
        return tf.train.Example(features=example).SerializeToString(
            deterministic=True
        )

    def name_of(self, element) -> str:
        """Says where the image of an element came from; always printable."""
        index = element if self.source.random_access else element["index"]
        return self.source.describe(int(index)).removeprefix(self._root)

    def _encoded(self, element):
        if self.source.random_access:
            element = self.source.read(element)
        else:
            element = self.source.decode(element)
        image = self._resized(element["image"])
        if self.source.channels == 1:
            encoded = self._file_of(image)
        else:
            is_grey = tf.reduce_all(image == image[..., :1])
            encoded = tf.cond(
                is_grey,
                lambda: self._file_of(image[..., :1]),
                lambda: self._file_of(image),
            )
        return encoded, tf.shape(image)[:2], element.get("label")

    def _resized(self, image):
        sides = tf.shape(image)[:2]
        shortest = tf.reduce_min(sides)
        if self.short_side == 0:
            return image
        # In whole numbers, so that no rounding differs between machines.
        wanted = (sides * self.short_side + shortest // 2) // shortest

        def smaller():
            resized = tf.image.resize(
                image, wanted, tf.image.ResizeMethod.BICUBIC, antialias=True
            )
            return tf.cast(
                tf.clip_by_value(tf.round(resized), 0.0, 255.0), tf.uint8
            )

        resized = tf.cond(shortest > self.short_side, smaller, lambda: image)
        return tf.ensure_shape(resized, [None, None, image.shape[-1]])

    def _file_of(self, image):
        if self.image_format == "png":
            return tf.io.encode_png(image)
        return tf.io.encode_jpeg(image, quality=self.quality)


def _feature(value):
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
