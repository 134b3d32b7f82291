"""What `fit` and `predict` hand to a model, in any of its forms."""

import tensorflow as tf


def unpack(data) -> tuple:
    """Returns (input, targets or None) of what `fit` hands over.

    Raises:
        ValueError: there are sample weights.
    """
    inputs, targets, weights = tf.keras.utils.unpack_x_y_sample_weight(data)
    if weights is not None:
        raise ValueError(
            "`sample_weight` must be None: every image counts alike. "
            f"Received: {weights}."
        )
    return inputs, targets


def as_element(data) -> dict:
    """Returns the element dict of a batch.

    Args:
        data: images, an element dict with `image`, or what `fit` makes of
            either: a tuple (input, targets, weights), of which targets become
            `label` unless the element has one.

    Raises:
        ValueError: a dict without `image`; or sample weights.
    """
    data, label = unpack(data)
    element = data if isinstance(data, dict) else {"image": data}
    if "image" not in element:
        raise ValueError(
            "An element must have the key `image`, and may have `patch_mask` "
            f"and `label`. Received keys: {sorted(element)}."
        )
    return element if label is None else {"label": label, **element}


def normalized_images(element, normalize) -> tf.Tensor:
    """Returns the images of an element as networks take them.

    Args:
        element: dict with `image`, [B, H, W, C].
        normalize: callable, uint8 [B, H, W, C] -> float32; or None.

    Returns:
        float [B, H, W, C].

    Raises:
        ValueError: integers, and no `normalize` for them.
    """
    images = tf.convert_to_tensor(element["image"])
    if images.dtype == tf.uint8 and normalize is not None:
        images = normalize(images)
    if not images.dtype.is_floating:
        raise ValueError(
            "`image` must be float and normalised; "
            "`data.Normalization().normalize` makes it so from pixels. "
            f"Received dtype: {images.dtype.name}."
        )
    return images
