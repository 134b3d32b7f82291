"""Images from a `tf.data.Dataset` that the user made.

Dimension key:
  H W: image, px   C: channels
"""

import tensorflow as tf

from tf_simmim.data import order
from tf_simmim.data.sources import source


class DatasetSource(source.Source):
    """Any finite data set of single images, streamed.

    It must yield the same images in the same order each time: what shuffles
    them is this project's stream (within windows of 1,024 images, which are
    in memory), so that a run can be resumed.

    Args:
        dataset: `tf.data.Dataset`, not batched, of images uint8 [H, W, C],
            of pairs (image, label), or of dicts with `image` and, optionally,
            `label` (an integer).
        num_images: int. Default: the data set's cardinality, if it is known.
        class_names: sequence of str, or None. `label` indexes it.

    Raises:
        ValueError: the elements are something else, `num_images` is needed,
            or it contradicts the cardinality.
        tf.errors.FailedPreconditionError: while reading: there are fewer or
            more than `num_images` images.
    """

    def __init__(self, dataset, num_images=None, class_names=None):
        image_spec, label_spec = _image_and_label(dataset.element_spec)
        if (
            not isinstance(image_spec, tf.TensorSpec)
            or image_spec.dtype != tf.uint8
            or image_spec.shape.rank != 3
            or image_spec.shape[-1] is None
        ):
            raise ValueError(
                "`dataset` must yield single images, uint8 [height, width, "
                "channels] with known channels on the 0..255 scale. "
                f"Received: {dataset.element_spec}."
            )
        super().__init__(
            name="dataset",
            num_images=_num_images(dataset, num_images),
            channels=image_spec.shape[-1],
            class_names=class_names,
            random_access=False,
        )
        self._shape = image_spec.shape
        self._has_labels = label_spec is not None
        self._dataset = dataset.apply(
            tf.data.experimental.assert_cardinality(len(self))
        )

    def records(self, order_seed, shuffle=True):
        def serialise(index, element):
            # As bytes, images of unequal sizes fit in one window.
            image, label = _image_and_label(element)
            record = {"index": index, "image": tf.io.serialize_tensor(image)}
            if self._has_labels:
                record["label"] = tf.cast(label, tf.int64)
            return record

        records = self._dataset.enumerate().map(serialise)
        if shuffle:
            records = order.shuffled_in_windows(records, order_seed)
        return records

    def decode(self, record):
        image = tf.io.parse_tensor(record["image"], tf.uint8)
        element = {"image": tf.ensure_shape(image, self._shape)}
        if self._has_labels:
            element["label"] = record["label"]
        return element


def _image_and_label(element):
    if isinstance(element, dict):
        return element.get("image"), element.get("label")
    if isinstance(element, tuple) and len(element) == 2:
        return element
    return element, None


def _num_images(dataset, num_images):
    cardinality = dataset.cardinality().numpy()
    if num_images is None:
        num_images = cardinality
    if num_images < 0 or cardinality not in (
        num_images,
        tf.data.UNKNOWN_CARDINALITY,
    ):
        known = {
            tf.data.UNKNOWN_CARDINALITY: "an unknown number of",
            tf.data.INFINITE_CARDINALITY: "infinitely many",
        }.get(cardinality, cardinality)
        raise ValueError(
            "`num_images` must be the number of images in `dataset`, which "
            f"must be finite. Received: num_images={num_images}, and a data "
            f"set of {known} images."
        )
    return int(num_images)
