"""How well a detector does, in all and for each class, as COCO counts it.

Dimension key:
  L: classes   N: boxes of an image   M: detections of an image
"""

import contextlib
import dataclasses
import io

import numpy as np

# Indices into what pycocotools gives: objects of all sizes, and the surest
# 100 detections of an image.
_ALL_SIZES, _SUREST_100 = 0, 2
_HALF, _THREE_QUARTERS = 0, 5  # overlaps 0.50, 0.55, ..., 0.95


@dataclasses.dataclass(frozen=True)
class DetectionReport:
    """Average precision and recall of detections.

    A detection is right if it overlaps an object of its class, which no surer
    one does, by a share (intersection over union). The average precision of a
    class is the mean, over 101 shares of its objects that are to be found, of
    the best precision at which so many are; `ap` is its mean over the
    overlaps 0.5, 0.55, ..., 0.95. The mean over the classes that occur in
    truth is `mean_average_precision`. Recall is the share of objects that are
    found among the surest 100 detections of each image.

    Attributes:
        class_names: tuple of L str.
        num_images: int.
        num_objects: int64 [L]. Objects in truth.
        precision: float64 [10, L]. For each overlap and class; NaN where the
            class does not occur.
        recall: float64 [10, L], likewise.
    """

    class_names: tuple
    num_images: int
    num_objects: np.ndarray
    precision: np.ndarray
    recall: np.ndarray

    def per_class(self) -> list[dict]:
        """Returns a dict for each class, in order.

        Its keys: `name`; `objects`, of that class; `ap`, `ap_50`, `ap_75`
        (at these overlaps) and `recall`. What is of no object is None.
        """
        return [
            {
                "name": name,
                "objects": int(self.num_objects[i]),
                **_scores(self.precision[:, i : i + 1], self.recall[:, i]),
            }
            for i, name in enumerate(self.class_names)
        ]

    def to_json(self) -> dict:
        """Returns all of it as JSON has it."""
        scores = _scores(self.precision, self.recall)
        return {
            "num_images": self.num_images,
            "num_objects": int(self.num_objects.sum()),
            "mean_average_precision": scores.pop("ap"),
            **scores,
            "classes": self.per_class(),
        }

    def table(self) -> str:
        """Returns the classes as text, the worst first."""
        rows = [row for row in self.per_class() if row["objects"]]
        rows.sort(key=lambda row: row["ap"])
        width = max([len("class"), *(len(row["name"]) for row in rows)])
        lines = [f"{'class':<{width}}  objects     AP   AP50   AP75  recall"]
        for row in rows:
            lines.append(
                f"{row['name']:<{width}}  {row['objects']:7d}  "
                f"{row['ap']:.3f}  {row['ap_50']:.3f}  {row['ap_75']:.3f}  "
                f"{row['recall']:6.3f}"
            )
        return "\n".join(lines)


def detection_report(truth, detections, class_names) -> DetectionReport:
    """Compares detections with the objects that are there.

    Args:
        truth: list with a dict for each image: `boxes` float [N, 4]: top,
            left, bottom, right, px, and `box_classes` int [N]. What has a
            class below 0 is no box.
        detections: list of as many dicts: `boxes` float [M, 4], `classes` int
            [M] and `confidence` float [M], likewise.
        class_names: sequence of L str.

    Raises:
        ValueError: the lists differ in length, or a class is none of
            `class_names`.
        ImportError: pycocotools is not installed.

    Source: Lin et al., Microsoft COCO, 2014, https://arxiv.org/abs/1405.0312;
        counted by pycocotools. Not by keras-cv's `BoxCOCOMetrics`, which
        hands pycocotools only those images in which something was detected:
        objects in the others do not count as missed there.
    """
    # Imported here: of all that is done with a model, only this needs it.
    from pycocotools import coco
    from pycocotools import cocoeval

    if len(truth) != len(detections):
        raise ValueError(
            "`truth` and `detections` must be of the same images. "
            f"Received: {len(truth)} and {len(detections)}."
        )
    num_classes = len(class_names)
    objects = _annotations(truth, "box_classes", num_classes)
    found = _annotations(detections, "classes", num_classes)
    # It prints what it does.
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = cocoeval.COCOeval(
            *(
                _coco(coco.COCO(), each, len(truth), num_classes)
                for each in (objects, found)
            ),
            "bbox",
        )
        evaluation.evaluate()
        evaluation.accumulate()
    # [overlaps, shares to be found, L, sizes, numbers of detections]
    precision = evaluation.eval["precision"]
    precision = precision[..., _ALL_SIZES, _SUREST_100].mean(axis=1)
    recall = evaluation.eval["recall"][..., _ALL_SIZES, _SUREST_100]
    num_objects = np.bincount(
        [each["category_id"] - 1 for each in objects], minlength=num_classes
    )
    # There, -1 is of a class that does not occur.
    return DetectionReport(
        tuple(class_names),
        len(truth),
        num_objects.astype(np.int64),
        np.where(num_objects > 0, precision, np.nan),
        np.where(num_objects > 0, recall, np.nan),
    )


def _annotations(images, classes_key, num_classes):
    """Returns what there is in all images as COCO has it."""
    annotations = []
    for number, image in enumerate(images):
        classes = np.asarray(image[classes_key])
        boxes = np.asarray(image["boxes"], np.float64)
        confidence = image.get("confidence", np.ones(classes.shape))
        for box, label, score in zip(boxes, classes, confidence, strict=True):
            if label < 0:
                continue
            if label >= num_classes:
                raise ValueError(
                    f"`{classes_key}` must be below {num_classes}, the number "
                    f"of `class_names`. Received: {label}."
                )
            top, left, bottom, right = box
            annotations.append(
                {
                    # pycocotools takes a 0 for nothing.
                    "id": len(annotations) + 1,
                    "image_id": number + 1,
                    "category_id": int(label) + 1,
                    "bbox": [left, top, right - left, bottom - top],
                    "area": (right - left) * (bottom - top),
                    "iscrowd": 0,
                    "score": float(score),
                }
            )
    return annotations


def _coco(data, annotations, num_images, num_classes):
    """Fills an object of pycocotools, which would read a file otherwise."""
    data.dataset = {
        "images": [{"id": i + 1} for i in range(num_images)],
        "categories": [{"id": i + 1} for i in range(num_classes)],
        "annotations": annotations,
    }
    data.createIndex()
    return data


def _scores(precision, recall):
    """Returns the means over classes that occur, or None without any."""

    def mean(values):
        values = values[~np.isnan(values)]
        return float(values.mean()) if values.size else None

    return {
        "ap": mean(precision),
        "ap_50": mean(precision[_HALF]),
        "ap_75": mean(precision[_THREE_QUARTERS]),
        "recall": mean(recall),
    }
