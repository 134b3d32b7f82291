"""Pictures of detections: the boxes that are there beside those found.

Dimension key:
  B: batch   H W: image, px   C: channels   N: boxes of an image, at most
  M: detections of an image, at most   L: classes
"""

import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont

from tf_simmim.visualization.picture_table import picture_table
from tf_simmim.visualization.segmentation_grid import class_colours

_HEADINGS = ("truth", "detections")
_LINE_WIDTH = 2  # px
_FONT_SIZE = 12  # px
_TEXT_COLOUR = (255, 255, 255)


def detection_grid(
    images,
    truth,
    detections,
    class_names,
    min_confidence=0.5,
    min_cell_size=192,
) -> np.ndarray:
    """Draws one row per image: with its boxes, and with the detections.

    Args:
        images: uint8 [B, H, W, C]. Of three channels or more, the first three
            are shown; else the first, as grey.
        truth: dict of `boxes` float [B, N, 4]: top, left, bottom, right, px,
            and `box_classes` int [B, N]; -1 where there is none.
        detections: dict of `boxes` float [B, M, 4], `classes` int [B, M] and
            `confidence` float [B, M], likewise.
        class_names: sequence of L str.
        min_confidence: float in [0, 1]. Detections that are less sure are
            left out.
        min_cell_size: int, px. Each picture's shorter side is at least this
            in the grid.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ValueError: the shapes do not fit each other.
    """
    images = np.asarray(images)
    truth, detections = (
        {key: np.asarray(value) for key, value in each.items()}
        for each in (truth, detections)
    )
    for boxes, classes in (
        (truth["boxes"], truth["box_classes"]),
        (detections["boxes"], detections["classes"]),
    ):
        if (
            boxes.shape != (*classes.shape, 4)
            or classes.ndim != 2
            or len(classes) != len(images)
        ):
            raise ValueError(
                "`boxes` must be [B, N, 4] and their classes [B, N], for "
                f"`images` [B, H, W, C]. Received: {boxes.shape}, "
                f"{classes.shape} and {images.shape}."
            )
    is_sure = detections["confidence"] >= min_confidence
    pictures = images[..., :3]
    if images.shape[-1] < 3:
        pictures = images[..., :1].repeat(3, axis=-1)
    scale = max(1, -(-min_cell_size // min(images.shape[1:3])))
    pictures = pictures.repeat(scale, axis=1).repeat(scale, axis=2)
    # The first of these colours is for a background.
    palette = class_colours(len(class_names) + 1)[1:]

    def draw(picture, boxes, classes, captions):
        shown = classes >= 0
        return _with_boxes(
            picture,
            boxes=scale * boxes[shown],
            colours=palette[classes[shown]],
            captions=np.asarray(captions)[shown],
        )

    rows = []
    for i, picture in enumerate(pictures):
        classes = truth["box_classes"][i]
        found = np.where(is_sure[i], detections["classes"][i], -1)
        sure = [f"{100 * share:.0f} %" for share in detections["confidence"][i]]
        rows.append(
            [
                draw(
                    picture,
                    truth["boxes"][i],
                    classes,
                    captions=[class_names[label] for label in classes],
                ),
                draw(
                    picture,
                    detections["boxes"][i],
                    found,
                    captions=[
                        f"{class_names[label]}  {share}"
                        for label, share in zip(found, sure, strict=True)
                    ],
                ),
            ]
        )
    return picture_table(rows, _HEADINGS, min_cell_size=1)


def _with_boxes(picture, boxes, colours, captions):
    """Returns a picture with frames, each with a caption inside."""
    canvas = Image.fromarray(picture)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=_FONT_SIZE)
    for box, colour, caption in zip(boxes, colours, captions, strict=True):
        top, left, bottom, right = map(float, box)
        colour = tuple(map(int, colour))
        # The last pixel of a box lies inside its lower right corner.
        frame = (left, top, max(left, right - 1), max(top, bottom - 1))
        draw.rectangle(frame, outline=colour, width=_LINE_WIDTH)
        label = draw.textbbox((left, top), caption, font=font)
        draw.rectangle((left, top, *label[2:]), fill=colour)
        draw.text((left, top), caption, fill=_TEXT_COLOUR, font=font)
    return np.asarray(canvas)
