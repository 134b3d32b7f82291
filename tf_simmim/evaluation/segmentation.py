"""How well a segmenter does, in all and for each class.

Dimension key:
  L: classes
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class SegmentationReport:
    """What a segmenter makes of images whose pixels have classes.

    Attributes:
        class_names: tuple of L str.
        counts: int64 [L, L]. Pixels of the class of the row that were taken
            for the class of the column.

    Raises:
        ValueError: `counts` is not [L, L].
    """

    class_names: tuple
    counts: np.ndarray

    def __post_init__(self):
        num_classes = len(self.class_names)
        if self.counts.shape != (num_classes, num_classes):
            raise ValueError(
                "`counts` must have a row and a column for each of the "
                f"{num_classes} class names. "
                f"Received shape: {self.counts.shape}."
            )

    def per_class(self) -> list[dict]:
        """Returns a dict for each class, in order.

        Its keys: `name`; `pixels`, of that class; `iou`, pixels that are
        rightly taken for it over those that are of it, or are taken for it;
        `recall`, `precision`. A share of nothing is None.
        """
        right = np.diag(self.counts)
        of_class, taken_for = self.counts.sum(axis=1), self.counts.sum(axis=0)
        return [
            {
                "name": name,
                "pixels": int(of_class[i]),
                "iou": _share(right[i], of_class[i] + taken_for[i] - right[i]),
                "recall": _share(right[i], of_class[i]),
                "precision": _share(right[i], taken_for[i]),
            }
            for i, name in enumerate(self.class_names)
        ]

    def to_json(self) -> dict:
        """Returns all of it as JSON has it."""
        ious = [row["iou"] for row in self.per_class()]
        ious = [iou for iou in ious if iou is not None]
        return {
            "num_pixels": int(self.counts.sum()),
            "accuracy": _share(np.trace(self.counts), self.counts.sum()),
            "mean_iou": float(np.mean(ious)) if ious else None,
            "classes": self.per_class(),
            "counts": self.counts.tolist(),
        }

    def summary(self) -> str:
        """Returns the scores of all classes together as text."""
        found = self.to_json()
        if found["mean_iou"] is None:
            return "no pixel has a class"
        return (
            f"mean IoU {found['mean_iou']:.4f}, pixel accuracy "
            f"{found['accuracy']:.4f}"
        )

    def table(self) -> str:
        """Returns the classes as text, the worst first."""
        rows = [row for row in self.per_class() if row["iou"] is not None]
        rows.sort(key=lambda row: row["iou"])
        width = max([len("class"), *(len(row["name"]) for row in rows)])
        lines = [
            f"{'class':<{width}}      pixels    IoU  recall  precision",
        ]
        for row in rows:
            recall, precision = (
                "-" if row[name] is None else f"{row[name]:.3f}"
                for name in ("recall", "precision")
            )
            lines.append(
                f"{row['name']:<{width}}  {row['pixels']:10d}  "
                f"{row['iou']:.3f}  {recall:>6}  {precision:>9}"
            )
        return "\n".join(lines)


def _share(part, whole):
    return float(part / whole) if whole else None
