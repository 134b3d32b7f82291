"""What a JSON file says of the objects in images, as COCO has it.

Dimension key:
  n: images   T: boxes of all images
"""

import dataclasses
import json
from pathlib import Path

import numpy as np

from tf_simmim import atomic_file

_LARGEST = float(np.finfo(np.float32).max)


@dataclasses.dataclass(frozen=True)
class CocoAnnotations:
    """Images and their boxes, in the order of the file.

    Attributes:
        class_names: list of str, in the order of the categories' numbers.
        file_names: list of n str.
        sizes: int32 [n, 2]. Height and width of each image, px; -1 where the
            file does not say.
        counts: int64 [n]. Boxes of each image.
        boxes: float32 [T, 4]: top, left, bottom, right, px; those of the
            first image, then those of the second, ...
        box_classes: int64 [T]. Indices into `class_names`.
    """

    class_names: list
    file_names: list
    sizes: np.ndarray
    counts: np.ndarray
    boxes: np.ndarray
    box_classes: np.ndarray


def read_annotations(file) -> CocoAnnotations:
    """Reads a file of annotations.

    Of groups (`iscrowd`) there is no box for each, so these are left out, and
    so are boxes without an area. Masks and all else are not looked at.

    Args:
        file: path of a JSON file: an object with the lists `images` (of
            objects with `id` and `file_name`, and `height` and `width` if
            they are known), `annotations` (with `image_id`, `category_id` and
            `bbox`: left, top, width, height, px) and `categories` (with `id`
            and `name`).

    Raises:
        ValueError: it cannot be read, or it is something else.

    Source: https://cocodataset.org/#format-data.
    """
    file = Path(file)
    try:
        content = json.loads(atomic_file.read_bytes(file))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise _refusal(file, f"it cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise _refusal(file, "it is no object")
    images, annotations, categories = (
        _list(file, content, name)
        for name in ("images", "annotations", "categories")
    )
    categories = sorted(
        (_number(file, each, "id"), _text(file, each, "name"))
        for each in categories
    )
    classes = {number: i for i, (number, _) in enumerate(categories)}
    places = {_number(file, each, "id"): i for i, each in enumerate(images)}
    for name, numbers, found in (
        ("categories", classes, categories),
        ("images", places, images),
    ):
        if not found or len(numbers) != len(found):
            raise _refusal(
                file,
                f"`{name}` must have entries, each with an `id` of its own",
            )

    boxes_of = [[] for _ in images]
    for each in annotations:
        image = places.get(_number(file, each, "image_id"))
        category = classes.get(_number(file, each, "category_id"))
        if image is None or category is None:
            raise _refusal(
                file, f"no such image or category: {_shortened(each)}"
            )
        box = _box(file, each)
        if not each.get("iscrowd") and box[2] > box[0] and box[3] > box[1]:
            boxes_of[image].append((*box, category))
    rows = [row for rows in boxes_of for row in rows]
    numbers = np.array(rows, np.float64).reshape([len(rows), 5])
    return CocoAnnotations(
        class_names=[name for _, name in categories],
        file_names=[_text(file, each, "file_name") for each in images],
        sizes=np.array(
            [
                [_side(file, each, name) for name in ("height", "width")]
                for each in images
            ],
            np.int32,
        ),
        counts=np.array([len(rows) for rows in boxes_of], np.int64),
        boxes=numbers[:, :4].astype(np.float32),
        box_classes=numbers[:, 4].astype(np.int64),
    )


def _list(file, content, name):
    found = content.get(name)
    if not isinstance(found, list) or not all(
        isinstance(each, dict) for each in found
    ):
        raise _refusal(file, f"it needs `{name}`, a list of objects")
    return found


def _number(file, entry, name, default=None):
    number = entry.get(name, default)
    if type(number) is not int:
        raise _refusal(
            file, f"`{name}` must be a whole number: {_shortened(entry)}"
        )
    return number


def _side(file, entry, name):
    side = _number(file, entry, name, -1)
    if not -1 <= side < 1 << 31:
        raise _refusal(
            file, f"`{name}` must be a number of pixels: {_shortened(entry)}"
        )
    return side


def _text(file, entry, name):
    text = entry.get(name)
    if not isinstance(text, str) or not text:
        raise _refusal(file, f"`{name}` must be a text: {_shortened(entry)}")
    return text


def _box(file, entry):
    """Returns top, left, bottom, right."""
    box = entry.get("bbox")
    if (
        not isinstance(box, list)
        or len(box) != 4
        or not all(type(n) in (int, float) for n in box)
        # Twice: a sum must not be too large either.
        or not all(abs(n) <= _LARGEST / 2 for n in box)
    ):
        raise _refusal(
            file,
            "`bbox` must have four numbers, finite ones as float32: "
            f"{_shortened(entry)}",
        )
    left, top, width, height = box
    # Rounded as they will be: what has no area then has none.
    return [np.float32(n) for n in (top, left, top + height, left + width)]


def _shortened(entry):
    text = json.dumps(entry)
    return text if len(text) < 100 else f"{text[:97]}..."


def _refusal(file, why):
    return ValueError(
        "A dataset coco:JSON needs a file of boxes as COCO has it. "
        f"Received: {file}; {why}."
    )
