"""How good reconstructions look: errors of hidden pixels, image by image.

Dimension key:
  B: batch   H W: image, px   C: channels   P: model patch, px
  h w: grid of model patches = H/P, W/P
"""

import collections

import numpy as np
import tensorflow as tf

from tf_simmim import masking
from tf_simmim.evaluation import hole_filling

_TITLES = {
    "model": "model",
    "from_neighbours": "smooth fill from visible pixels",
    "visible_mean": "mean of visible pixels",
    "best_colour": "best colour of hidden pixels",
}
# As in Wang et al.; smaller images are compared as a whole.
_SSIM_WINDOW = 11  # px
# Below it, a hundred decibels, images are equal to every eye.
_LEAST_SQUARED_ERROR = 1e-10


def reconstruction_errors(
    images, patch_mask, reconstruction, normalization
) -> dict:
    """Measures each reconstruction against its image, in units of pixels.

    Pixels x and predictions y are taken back to the 0..1 scale, and cut to it
    as they are when one looks at them. Over the hidden pixels of one image,
    all channels alike:

        masked_l1 = mean |x - y|
        psnr      = -10 log10(mean (x - y)^2), in dB, at most 100

    `ssim` compares the whole image with the composite (hidden pixels
    predicted, visible ones true) in Gaussian windows of 11 px, and so rises
    with what is visible: it compares models under the same masks only, and
    0 is not what knowing nothing scores. Its level is that of the baselines
    in `reconstruction_quality`.

    Args:
        images: float [B, H, W, C]. Normalised.
        patch_mask: int or bool [B, h, w]. 1 = hidden, 0 = visible.
        reconstruction: float [B, H, W, C]. Normalised.
        normalization: `data.Normalization` of the images.

    Returns:
        dict of float32 tensors: `masked_l1`, `psnr` and `ssim` [B], and
        `error_map` [B, H, W], the mean of |x - y| over channels where it is
        hidden, 0 where it is visible.

    Raises:
        ValueError: the images and their reconstruction differ in shape, or
            the mask does not cover them with square patches.
        tf.errors.InvalidArgumentError: nothing of an image is hidden; under
            XLA its errors are NaN instead.

    Source: SSIM: Wang et al., Image Quality Assessment: From Error Visibility
        to Structural Similarity, 2004, as `tf.image.ssim` has it.
    """
    images = tf.convert_to_tensor(images)
    reconstruction = tf.convert_to_tensor(reconstruction)
    if images.shape[1:] != reconstruction.shape[1:]:
        raise ValueError(
            "`reconstruction` must have the shape of `images`. Received: "
            f"{reconstruction.shape} and {images.shape}."
        )
    hidden = _hidden_pixels(patch_mask, images.shape)
    return _errors(
        _unit_pixels(images, normalization),
        hidden,
        _unit_pixels(reconstruction, normalization),
    )


def reconstruction_quality(
    model, dataset, normalization, baselines=tuple(hole_filling.FILLS)
) -> dict:
    """Measures a model's reconstructions of a data set, beside baselines.

    Args:
        model: `models.SimMIM`.
        dataset: finite tf.data.Dataset of batched elements with `image` and
            `patch_mask`.
        normalization: `data.Normalization` of the images.
        baselines: names of `FILLS`. What to set beside the model, measured on
            the same pixels.

    Returns:
        dict, which JSON can hold: `model` and each baseline as a dict of
        floats `masked_l1`, `psnr` and `ssim`, means over the images of what
        `reconstruction_errors` measures; `num_images`, int; and
        `uses_true_statistics`, bool: the model's target is normalised, so that
        each predicted patch is put at the true one's brightness and contrast,
        which flatters it.

    Raises:
        ValueError: a name is no baseline, an element has no `image` or
            `patch_mask`, there are none, or a mask hides all or nothing.
    """
    fills = hole_filling.FILLS
    unknown = [name for name in baselines if name not in fills]
    if unknown:
        raise ValueError(
            f"`baselines` must be of {tuple(fills)}. Received: {unknown}."
        )
    reconstruct = tf.function(model.reconstruct, reduce_retracing=True)
    measured = collections.defaultdict(list)
    for element in dataset:
        if not isinstance(element, dict) or not (
            {"image", "patch_mask"} <= set(element)
        ):
            raise ValueError(
                "`dataset` must yield elements with `image` and `patch_mask`. "
                f"Received: {dataset.element_spec}."
            )
        images, patch_mask = element["image"], element["patch_mask"]
        prediction = reconstruct(images, patch_mask)["reconstruction"]
        hidden = _hidden_pixels(patch_mask, images.shape)
        hole_filling.require_both(hidden)
        truth = _unit_pixels(images, normalization)
        guesses = {"model": _unit_pixels(prediction, normalization)}
        for name in baselines:
            guesses[name] = fills[name](truth, hidden)
        for name, guess in guesses.items():
            errors = _errors(truth, hidden, guess)
            del errors["error_map"]
            measured[name].append(np.stack(list(errors.values()), axis=1))
    if not measured:
        raise ValueError(
            "`dataset` must have at least one batch. Received: an empty one."
        )
    report = {}
    for name, parts in measured.items():
        numbers = np.concatenate(parts)  # [number of images, 3]
        means = numbers.mean(axis=0, dtype=np.float64).tolist()
        report[name] = dict(zip(errors, means, strict=True))
    report["num_images"] = len(numbers)
    report["uses_true_statistics"] = model.target != "pixels"
    return report


def format_quality(report) -> str:
    """Formats a report of `reconstruction_quality` as a table."""
    rows = [["Hidden pixels", "masked L1", "PSNR, dB", "SSIM"]]
    for name, title in _TITLES.items():
        if name in report:
            numbers = report[name]
            rows.append(
                [
                    title,
                    f"{numbers['masked_l1']:.4f}",
                    f"{numbers['psnr']:.2f}",
                    f"{numbers['ssim']:.3f}",
                ]
            )
    width = max(len(row[0]) for row in rows)
    lines = [
        row[0].ljust(width) + "".join(cell.rjust(11) for cell in row[1:])
        for row in rows
    ]
    if report["uses_true_statistics"]:
        lines.append(
            "The model's patches are put at the brightness and contrast of the "
            "true ones,\nwhich flatters it: its target is normalised."
        )
    return "\n".join(lines)


def _errors(truth, hidden, prediction):
    """Returns the measures of images on the 0..1 scale."""
    prediction = tf.convert_to_tensor(prediction)
    m = tf.cast(hidden, tf.float32)
    counts = tf.reduce_sum(m, axis=[1, 2]) * truth.shape[-1]  # [B]
    tf.debugging.assert_positive(
        counts, "`patch_mask` must hide something of every image."
    )
    difference = (truth - prediction) * m[..., tf.newaxis]
    squared_error = tf.reduce_sum(difference**2, axis=[1, 2, 3]) / counts
    squared_error = tf.maximum(squared_error, _LEAST_SQUARED_ERROR)
    composite = tf.where(hidden[..., tf.newaxis], prediction, truth)
    window = min(_SSIM_WINDOW, *truth.shape[1:3])
    return {
        "masked_l1": tf.reduce_sum(tf.abs(difference), axis=[1, 2, 3]) / counts,
        "psnr": -10.0 * tf.math.log(squared_error) / np.log(10.0),
        "ssim": tf.image.ssim(truth, composite, 1.0, filter_size=window),
        "error_map": tf.reduce_mean(tf.abs(difference), axis=-1),  # [B, H, W]
    }


def _unit_pixels(images, normalization):
    """Returns float32 pixels on the 0..1 scale."""
    mean, std = (
        tf.constant(values, tf.float32)
        for values in (normalization.mean, normalization.std)
    )
    images = tf.cast(images, tf.float32)
    if images.shape[-1] != len(normalization.mean):
        raise ValueError(
            f"`images` must have {len(normalization.mean)} channels, one for "
            f"each mean. Received shape: {images.shape}."
        )
    return tf.clip_by_value(images * std + mean, 0.0, 1.0)


def _hidden_pixels(patch_mask, image_shape):
    """Returns bool [B, H, W]."""
    patch_mask = tf.cast(patch_mask, tf.bool)
    patch_size = image_shape[1] // patch_mask.shape[1]
    hidden = masking.to_pixel_mask(patch_mask, patch_size)
    if hidden.shape[1:] != image_shape[1:3]:
        raise ValueError(
            "`patch_mask` must cover the images with square patches. Received: "
            f"{patch_mask.shape} for images {image_shape}."
        )
    return hidden
