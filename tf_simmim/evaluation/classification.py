"""How often a classifier is right, in all and for each class.

Dimension key:
  N: images   B: rows of a batch   L: classes
"""

import dataclasses

import numpy as np
import tensorflow as tf

from tf_simmim import shares

_TOP_K = 5
_NUM_CONFUSED = 10


@dataclasses.dataclass(frozen=True)
class ClassificationReport:
    """What a classifier makes of labelled images.

    Attributes:
        class_names: tuple of L str.
        top_1: float. Share of images whose label has the largest logit.
        top_5: float, or None for 5 classes or fewer. Among the 5 largest.
        confusion: int64 [L, L]. Images of the class of the row that were taken
            for the class of the column.
    """

    class_names: tuple
    top_1: float
    top_5: float | None
    confusion: np.ndarray

    @property
    def num_images(self):
        """Int: N."""
        return int(self.confusion.sum())

    def per_class(self) -> list[dict]:
        """Returns a dict for each class, in order.

        Its keys: `name`; `images`, of that class; `recall`, the share of them
        that were recognised; `precision`, the share of those taken for the
        class that are of it. A share of nothing is None.
        """
        right = np.diag(self.confusion)
        of_class = self.confusion.sum(axis=1)
        taken_for = self.confusion.sum(axis=0)
        return [
            {
                "name": name,
                "images": int(of_class[i]),
                "recall": _share(right[i], of_class[i]),
                "precision": _share(right[i], taken_for[i]),
            }
            for i, name in enumerate(self.class_names)
        ]

    def most_confused(self) -> list[dict]:
        """Returns the ten most frequent mistakes, the worst first."""
        wrong = self.confusion - np.diag(np.diag(self.confusion))
        order = np.argsort(-wrong, axis=None, kind="stable")[:_NUM_CONFUSED]
        rows, columns = np.unravel_index(order, wrong.shape)
        return [
            {
                "name": self.class_names[row],
                "taken_for": self.class_names[column],
                "images": int(wrong[row, column]),
            }
            for row, column in zip(rows, columns, strict=True)
            if wrong[row, column]
        ]

    def to_json(self) -> dict:
        """Returns all of it as JSON has it."""
        return {
            "num_images": self.num_images,
            "top_1": self.top_1,
            "top_5": self.top_5,
            "classes": self.per_class(),
            "most_confused": self.most_confused(),
            "confusion": self.confusion.tolist(),
        }

    def table(self, num_classes=20) -> str:
        """Returns the classes as text, at most so many: the worst first."""
        rows = [row for row in self.per_class() if row["images"]]
        rows.sort(key=lambda row: row["recall"])
        width = max([len("class"), *(len(r["name"]) for r in rows)])
        lines = [f"{'class':<{width}}  images  recall  precision"]
        for row in rows[:num_classes]:
            precision = "-"
            if row["precision"] is not None:
                precision = f"{row['precision']:.3f}"
            lines.append(
                f"{row['name']:<{width}}  {row['images']:6d}  "
                f"{row['recall']:6.3f}  {precision:>9}"
            )
        if len(rows) > num_classes:
            lines.append(f"and {len(rows) - num_classes} better ones")
        return "\n".join(lines)


def classification_report(logits, labels, class_names) -> ClassificationReport:
    """Compares logits with labels.

    Among equal logits the first class counts as the largest.

    Args:
        logits: float [N, L], N >= 1.
        labels: int [N], in [0, L).
        class_names: sequence of L str.

    Raises:
        ValueError: the shapes do not fit, there is no image, or a label is no
            class.
    """
    logits, labels = np.asarray(logits), np.asarray(labels)
    num_classes = len(class_names)
    if labels.ndim != 1 or logits.shape != (len(labels), num_classes):
        raise ValueError(
            "`logits` must be [images, classes], and `labels` [images]. "
            f"Received: {logits.shape} and {labels.shape}, for {num_classes} "
            "class names."
        )
    if not len(labels) or labels.min() < 0 or labels.max() >= num_classes:
        received = f"{labels.min()}..{labels.max()}" if len(labels) else "none"
        raise ValueError(
            f"`labels` must be in 0..{num_classes - 1}, one at least. "
            f"Received: {received}."
        )
    # Stable, so that the first of equals comes first.
    ranked = np.argsort(-logits, axis=1, kind="stable")[:, :_TOP_K]  # [N, 5]
    is_label = ranked == labels[:, np.newaxis]
    confusion = np.zeros([num_classes, num_classes], np.int64)
    np.add.at(confusion, (labels, ranked[:, 0]), 1)
    return ClassificationReport(
        tuple(class_names),
        float(is_label[:, 0].mean()),
        float(is_label.any(axis=1).mean()) if num_classes > _TOP_K else None,
        confusion,
    )


def predict_logits(model, batches, strategy=None):
    """Returns what a classifier says of images, in the order that they come.

    Args:
        model: `models.Classifier`, or another whose call returns [B, L].
        batches: finite data set of elements, each with `image` and `label`;
            under a strategy a distributed one, of which every replica has the
            rows of one part. Every worker has to take part.
        strategy: tf.distribute.Strategy. Default: none.

    Returns:
        (float32 [N, L], int64 [N]): logits and labels.
    """
    strategy = strategy or tf.distribute.get_strategy()

    @tf.function
    def predict(element):
        def on_replica(element):
            def logits_of(*values):
                share = dict(zip(element, values, strict=True))
                return model(share, training=False)

            return shares.run(logits_of, *element.values()), element["label"]

        results = strategy.run(on_replica, (element,))
        return [strategy.gather(result, axis=0) for result in results]

    pairs = [[part.numpy() for part in predict(e)] for e in batches]
    logits, labels = zip(*pairs, strict=True)
    return np.concatenate(logits), np.concatenate(labels)


def _share(part, whole):
    return float(part / whole) if whole else None
