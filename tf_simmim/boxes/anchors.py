"""Anchors: the boxes that a detector starts from, at each cell of each map.

Dimension key:
  H W: image, px   h w: map of a level   A: anchors of an image
"""

import numpy as np

_ASPECT_RATIOS = (0.5, 1.0, 2.0)  # width / height
_SCALES = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
# Side of a square anchor of scale 1, in strides.
_SIZE = 4

ANCHORS_PER_CELL = len(_ASPECT_RATIOS) * len(_SCALES)


def detection_strides(strides, image_size) -> list[int]:
    """Returns the strides of a pyramid, and of coarser maps where needed.

    Maps of twice the stride are added until an anchor is as large as the
    longer side of the image.

    Args:
        strides: list of int, px, finest first.
        image_size: (height, width), px.

    Returns:
        list of int, px, finest first; `strides` is how it begins.
    """
    strides = list(strides)
    while _SIZE * _SCALES[-1] * strides[-1] < max(image_size):
        strides.append(2 * strides[-1])
    return strides


def create_anchors(image_size, strides) -> np.ndarray:
    """Returns the anchors of an image.

    At the middle of each cell of a map of stride s, there are nine: of the
    areas of squares of 4 s, 4 s * 2^(1/3) and 4 s * 2^(2/3) px, each half as
    wide as high, square, and twice as wide as high. They are cut off at the
    border of the image.

    Args:
        image_size: (height, width), px.
        strides: list of int > 0, px. Of the maps, finest first; a map has
            ceil(side / stride) cells along a side.

    Returns:
        float32 [A, 4]: top, left, bottom, right, px; level by level, row by
        row, cell by cell, the nine of a cell together.

    Source: Lin et al., Focal Loss for Dense Object Detection, 2017,
        https://arxiv.org/abs/1708.02002, section 4; from keras-cv.
    """
    # Imported here, as everywhere: it takes seconds.
    import keras_cv

    generator = keras_cv.layers.AnchorGenerator(
        bounding_box_format="yxyx",
        sizes=[float(_SIZE * stride) for stride in strides],
        scales=list(_SCALES),
        aspect_ratios=list(_ASPECT_RATIOS),
        strides=list(strides),
        clip_boxes=True,
        dtype="float32",
    )
    levels = generator(image_shape=(*image_size, 3))
    return np.concatenate(
        [np.asarray(levels[i]) for i in range(len(strides))]
    )  # [A, 4]
