"""Images that are already in memory.

Dimension key:
  N: images   H W: image, px   C: channels
"""

import numpy as np
import tensorflow as tf

from tf_simmim.data.sources import source


class ArraySource(source.Source):
    """Images in a NumPy array, read at random.

    Args:
        images: uint8 [N, H, W, C], on the 0..255 scale.
        labels: int [N], or None.
        class_names: sequence of str, or None. `labels` indexes it.
        mean: sequence of float, one a channel, on the 0..1 scale. Default:
            ImageNet's.
        std: as `mean`.
        name: str, for messages.

    Raises:
        ValueError: `images` is not uint8 of rank 4, `labels` is not one
            integer for each image, or a label has no name in `class_names`.
    """

    def __init__(
        self,
        images,
        labels=None,
        class_names=None,
        mean=None,
        std=None,
        name="arrays",
    ):
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.ndim != 4:
            raise ValueError(
                "`images` must be uint8 [images, height, width, channels] on "
                "the 0..255 scale. "
                f"Received: {images.dtype} of shape {images.shape}."
            )
        super().__init__(
            name=name,
            num_images=images.shape[0],
            channels=images.shape[-1],
            class_names=class_names,
            mean=mean,
            std=std,
        )
        # A GPU's memory is for the model.
        with tf.device("CPU:0"):
            self._images = tf.constant(images)
            self._labels = None
            if labels is not None:
                self._labels = tf.constant(
                    _checked_labels(labels, images.shape[0], class_names)
                )

    def labels(self):
        if self._labels is None:
            return super().labels()
        return self._labels.numpy()

    def read(self, index):
        element = {"image": tf.gather(self._images, index)}
        if self._labels is not None:
            element["label"] = tf.gather(self._labels, index)
        return element


def _checked_labels(labels, num_images, class_names):
    labels = np.asarray(labels)
    if labels.shape != (num_images,) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"`labels` must be one integer for each of the {num_images} "
            f"images. Received: {labels.dtype} of shape {labels.shape}."
        )
    num_classes = labels.max() + 1 if class_names is None else len(class_names)
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(
            f"`labels` must lie in 0..{num_classes - 1}. "
            f"Received: {labels.min()}..{labels.max()}."
        )
    return labels.astype(np.int64)
