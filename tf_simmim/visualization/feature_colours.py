"""Features of patches as colours: their three leading components.

Dimension key:
  B: batch   h w: feature map   D: width of the features   n: patches = B*h*w
"""

import numpy as np

# Cells outside these percentiles of a component get its darkest or brightest
# colour, so that a few outliers do not leave all others grey.
_PERCENTILES = (2.0, 98.0)
_GREY = 127.5


def feature_colours(feature_map) -> np.ndarray:
    """Turns features into colours: patches of like features look alike.

    Principal components of the features of all patches of all images
    together: red, green and blue are the projections on the three directions
    of largest variance, each stretched from its 2nd to its 98th percentile.
    What a colour means differs from one set of features to another.

    The sign of a direction is chosen so that its largest entry is positive,
    and so the same features always give the same picture. A direction without
    variance is left at medium grey.

    Args:
        feature_map: float [B, h, w, D]. Of one block.

    Returns:
        uint8 [B, h, w, 3].

    Raises:
        ValueError: the features are not [B, h, w, D], or not all finite.

    Source: the pictures of Oquab et al., DINOv2, 2023,
        https://arxiv.org/abs/2304.07193, section 7.5; without their threshold
        for the background.
    """
    features = np.asarray(feature_map, np.float64)
    if features.ndim != 4 or not np.all(np.isfinite(features)):
        raise ValueError(
            "`feature_map` must be finite numbers, [batch, height, width, "
            f"width of the features]. Received shape: {features.shape}."
        )
    *grid, width = features.shape
    x = features.reshape(-1, width)  # [n, D]
    # Of no variance, rounding leaves a little.
    least = 1e-13 * np.sum(np.mean(x**2, axis=0))
    x = x - x.mean(axis=0)
    variances, directions = np.linalg.eigh(x.T @ x / len(x))  # ascending
    colours = np.full([len(x), 3], _GREY)
    least = max(least, 1e-10 * variances[-1])
    for channel in range(min(3, width)):
        if variances[-1 - channel] <= least:
            break
        direction = directions[:, -1 - channel]
        if direction[np.argmax(np.abs(direction))] < 0:
            direction = -direction
        colours[:, channel] = _stretched(x @ direction)
    return np.round(colours).astype(np.uint8).reshape(*grid, 3)


def _stretched(values):
    low, high = np.percentile(values, _PERCENTILES)
    if high <= low:
        # All but a few outliers are equal.
        low, high = values.min(), values.max()
    return 255.0 * np.clip((values - low) / (high - low), 0.0, 1.0)
