"""Images that a backbone finds alike, by the cosine of their features.

Dimension key:
  Q: images to find others for   N: images to find   D: width of the features
"""

import numpy as np


def nearest_images(queries, features, k) -> tuple[np.ndarray, np.ndarray]:
    """Returns the k images whose features point the same way, best first.

        similarity = <q, f> / (|q| |f|)

    An image that is in both comes first among its own neighbours.

    Args:
        queries: float [Q, D]. For instance mean patch tokens of a block.
        features: float [N, D].
        k: int in [1, N].

    Returns:
        (int64 [Q, k], float32 [Q, k]): rows of `features`, and cosines in
        [-1, 1]. Of equal ones the lower row comes first. Features of length 0
        are like nothing: their cosine is 0.

    Raises:
        ValueError: `k` is out of range, or the widths differ.
    """
    queries, features = _directions(queries), _directions(features)
    if queries.shape[-1] != features.shape[-1]:
        raise ValueError(
            "`queries` and `features` must have one width. Received shapes: "
            f"{queries.shape} and {features.shape}."
        )
    if not 1 <= k <= len(features):
        raise ValueError(
            f"`k` must lie in [1, {len(features)}], the number of images. "
            f"Received: {k}."
        )
    cosines = np.clip(queries @ features.T, -1.0, 1.0)  # [Q, N]
    # Rounded, so that copies of one image keep their order.
    order = np.argsort(-np.round(cosines, 6), axis=1, kind="stable")[:, :k]
    similarities = np.take_along_axis(cosines, order, axis=1)
    return order, similarities.astype(np.float32)


def _directions(features):
    features = np.asarray(features, np.float64)
    lengths = np.linalg.norm(features, axis=-1, keepdims=True)
    return features / np.where(lengths > 0, lengths, 1.0)
