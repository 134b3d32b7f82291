"""Source: where images come from, whatever they are stored in.

Dimension key:
  H W: image, px   C: channels   N: boxes of an image, at most
"""

import numpy as np
import tensorflow as tf

from tf_simmim import randomness
from tf_simmim.data import normalization
from tf_simmim.data import order

_LABELS_AT_ONCE = 1024


class Source:
    """A finite, ordered collection of images, read one of two ways.

    A random-access source implements `read`. A streaming source implements
    `records`, which yields the images of one epoch undecoded, and `decode`;
    the two are apart so that images which a resumed run skips, or another
    worker trains on, cost no decoding.

    An image is a dict: `image` uint8 [H, W, C] with C known, `label` int64 []
    when the source has labels, and `segmentation` uint8 [H, W, 1] when it has
    `segmentation_class_names`: the class of each pixel; 255 = ignore it. When
    it has `box_class_names`, there are `boxes` float32 [N, 4] of objects: top,
    left, bottom, right, px, and their `box_classes` int64 [N]; N is the same
    for all images, and both are -1 where there is no box.

    Args:
        name: str. What the source was opened as, for messages.
        num_images: int > 0.
        channels: int, C.
        class_names: sequence of str, or None. `label` indexes it.
        segmentation_class_names: sequence of str, or None for a source whose
            pixels have no classes. `segmentation` indexes it.
        box_class_names: sequence of str, or None for a source without boxes.
            `box_classes` indexes it.
        mean: sequence of float, one a channel, on the 0..1 scale. Default:
            `normalization.default_statistics`.
        std: as `mean`.
        random_access: bool. Which of the two ways it is read.

    Attributes: the arguments, `len(source)`, the number of images, and
        reads_files: bool, of the class. Whether images come from files, one
            of which may turn out to be bad. Default: False.

    Raises:
        ValueError: there are no images.
    """

    reads_files = False

    def __init__(
        self,
        name,
        num_images,
        channels,
        class_names=None,
        mean=None,
        std=None,
        random_access=True,
        segmentation_class_names=None,
        box_class_names=None,
    ):
        if num_images < 1:
            raise ValueError(
                f"A source must have at least one image. Received: {name}, "
                f"which has {num_images}."
            )
        default_mean, default_std = normalization.default_statistics(channels)
        self.name = name
        self.num_images = int(num_images)
        self.channels = channels
        self.class_names = None if class_names is None else tuple(class_names)
        self.segmentation_class_names = None
        if segmentation_class_names is not None:
            self.segmentation_class_names = tuple(segmentation_class_names)
        self.box_class_names = None
        if box_class_names is not None:
            self.box_class_names = tuple(box_class_names)
        self.mean = default_mean if mean is None else tuple(mean)
        self.std = default_std if std is None else tuple(std)
        self.random_access = random_access

    def __len__(self):
        return self.num_images

    def describe(self, index) -> str:
        """Says which image that is, for a message; always printable.

        Args:
            index: int, 0 <= index < len(source).
        """
        return f"image {int(index)} of {self.name}"

    def digest(self) -> str:
        """Returns a word that changes when the images are others or more.

        What it sees depends on the source: file names, and the contents that
        a manifest lists; or only how many images there are.
        """
        return f"{len(self)} images"

    def damage(self) -> list[str]:
        """Says what is wrong with the files of a streaming source.

        Returns:
            list of str, each naming file and record: empty if all is well.
        """
        return []

    def labels(self) -> np.ndarray:
        """Returns int64 [n], the label of every image, in order.

        It reads and decodes all images, unless the source knows better.

        Raises:
            ValueError: the source has no labels.
        """
        images = self.epoch(shuffle=False)
        if "label" not in images.element_spec:
            raise ValueError(
                f"The images must have labels. Received: {self.name}, which "
                "has none."
            )
        found = np.zeros([len(self)], np.int64)
        pairs = images.map(lambda e: (e["index"], e["label"]))
        for indices, labels in pairs.batch(_LABELS_AT_ONCE):
            found[indices.numpy()] = labels.numpy()
        return found

    def class_counts(self) -> np.ndarray | None:
        """Returns int64 [L], how many images (or boxes) each class has.

        None where that is not known without reading the images.
        """
        return None

    def encoded_images(self, count: int):
        """Yields some images as files hold them, spread over the source.

        Args:
            count: int > 0. How many at most.

        Returns:
            Iterable of bytes; empty for images without files.
        """
        return ()

    def read(self, index) -> dict:
        """Reads one image, in eager mode or inside `tf.data`.

        Args:
            index: int64 scalar tensor, 0 <= index < len(source).

        Returns:
            dict: `image` uint8 [H, W, C], `label` int64 [] if there are any,
            and so `segmentation`, `boxes` and `box_classes`.
        """
        raise NotImplementedError(f"{self.name} is read with `records`.")

    def records(self, order_seed, shuffle=True) -> tf.data.Dataset:
        """Yields every image of one epoch once, undecoded.

        Args:
            order_seed: int64 [2]. The order is a function of it alone.
            shuffle: bool. False: in the order of the source.

        Returns:
            Data set of dicts: `index` int64 [], the position in the source,
            and what `decode` needs.
        """
        raise NotImplementedError(f"{self.name} is read with `read`.")

    def decode(self, record) -> dict:
        """Turns an element of `records` into an image, as `read` returns."""
        raise NotImplementedError(f"{self.name} is read with `read`.")

    def epoch(self, seed=0, epoch=0, shuffle=True) -> tf.data.Dataset:
        """Yields every image once, decoded, however the source is read.

        Args:
            seed: int. Seed of the run.
            epoch: int >= 0. The order is a function of `seed` and `epoch`.
            shuffle: bool. False: in the order of the source.

        Returns:
            Data set of dicts: `image` and `label` as from `read`, and `index`
            int64 [], the position in the source.
        """
        order_seed = randomness.seed_for(seed, randomness.ORDER, epoch)

        def read(position):
            index = position
            if shuffle:
                index = order.shuffled(position, len(self), order_seed)
            return {**self.read(index), "index": index}

        def decode(record):
            return {**self.decode(record), "index": record["index"]}

        if self.random_access:
            positions = tf.data.Dataset.range(len(self))
            return positions.map(read, num_parallel_calls=tf.data.AUTOTUNE)
        records = self.records(order_seed, shuffle)
        return records.map(decode, num_parallel_calls=tf.data.AUTOTUNE)
