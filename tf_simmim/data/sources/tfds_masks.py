"""The masks of a data set of TensorFlow Datasets, if it has any."""

import numpy as np

from tf_simmim.data.sources.formats import png_labels

# As oxford_iiit_pet and cityscapes call them.
_FEATURES = ("segmentation_mask", "segmentation_label")


def wanted(tfds, features, class_names=None):
    """Returns the feature of the masks, and the names of their classes.

    Args:
        tfds: the module.
        features: dict of the data set's features.
        class_names: sequence of str, of the numbers 0, 1, 2, ... in masks; None
            for the names that the data set has itself (`LabeledImage`).

    Returns:
        (name of the feature, feature, names), or None without masks, or
        without names for their classes.

    Raises:
        ValueError: there are `class_names`, and no masks; or fewer than 2 or
            more than 255 of them.
    """
    for name in _FEATURES:
        feature = features.get(name)
        if not isinstance(feature, tfds.features.Image) or (
            feature.np_dtype != np.uint8 or feature.shape[-1] != 1
        ):
            continue
        if class_names is None:
            class_names = getattr(feature, "names", None)
        if class_names is None:
            return None
        if not 2 <= len(class_names) <= png_labels.IGNORED:
            raise ValueError(
                "`segmentation_class_names` must be 2 to "
                f"{png_labels.IGNORED} names. Received: {class_names}."
            )
        return name, feature, class_names
    if class_names is not None:
        raise ValueError(
            "`segmentation_class_names` is for data sets with masks: uint8 "
            f"images of one channel, called {' or '.join(_FEATURES)}. "
            f"Received: a data set with {sorted(features)}."
        )
    return None
