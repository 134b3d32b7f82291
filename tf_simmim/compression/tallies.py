"""What a network is worth by labels, gathered over batches of images.

Dimension key:
  B: batch   H W: image, px   D: features   L: classes   A: anchors
"""

import numpy as np

from tf_simmim import evaluation
from tf_simmim import models

# Neighbours that vote on an image, where there are so many.
_KNN_K = 20
_FOUND = ("boxes", "classes", "confidence")
_TRUTH = ("boxes", "box_classes")


def tally_for(model, train=None):
    """Returns what scores networks of a model's kind by labels.

    Args:
        model: model of the original, of a kind in `models.registry`.
        train: (float [N, D], int [N]): features of the network to be scored,
            and classes, of images that probes learn from; of a network without
            a head, or None for no probes.

    Returns:
        an object with `add(element, outputs)`, for each batch, and `scores()`,
        a dict {name: float}, empty where the elements have no labels.
    """
    if isinstance(model, models.Classifier):
        return _ClassTally(model)
    if isinstance(model, models.Segmenter):
        return _PixelTally(model)
    if isinstance(model, models.Detector):
        return _BoxTally(model)
    return _ProbeTally(train)


class _ClassTally:
    def __init__(self, model):
        self._num_classes = model.num_classes
        self._logits, self._labels = [], []

    def add(self, element, outputs):
        if "label" in element:
            self._logits.append(outputs["logits"])
            self._labels.append(np.asarray(element["label"]))

    def scores(self):
        if not self._labels:
            return {}
        report = evaluation.classification_report(
            np.concatenate(self._logits),
            np.concatenate(self._labels),
            tuple(map(str, range(self._num_classes))),
        )
        return {"accuracy": report.top_1}


class _PixelTally:
    def __init__(self, model):
        self._num_classes = model.num_classes
        self._ignored = model.ignore_label
        self._counts = np.zeros([self._num_classes] * 2, np.int64)

    def add(self, element, outputs):
        if "segmentation" not in element:
            return
        truth = np.asarray(element["segmentation"]).reshape(-1)
        found = np.argmax(outputs["logits"], axis=-1).reshape(-1)
        is_counted = truth != self._ignored
        np.add.at(self._counts, (truth[is_counted], found[is_counted]), 1)

    def scores(self):
        if not self._counts.any():
            return {}
        names = tuple(map(str, range(self._num_classes)))
        found = evaluation.SegmentationReport(names, self._counts).to_json()
        return {
            "mean_iou": found["mean_iou"],
            "pixel_accuracy": found["accuracy"],
        }


class _BoxTally:
    def __init__(self, model):
        self._model = model
        self._truth, self._found = [], []

    def add(self, element, outputs):
        if "boxes" not in element:
            return
        found = self._model.suppression(
            box=outputs["box"], classification=outputs["logits"]
        )
        self._truth += _rows(element, _TRUTH)
        self._found += _rows(found, _FOUND)

    def scores(self):
        if not self._truth:
            return {}
        names = tuple(map(str, range(self._model.num_classes)))
        report = evaluation.detection_report(self._truth, self._found, names)
        score = report.to_json()["mean_average_precision"]
        return {} if score is None else {"mean_average_precision": score}


class _ProbeTally:
    def __init__(self, train):
        self._train = train
        self._features, self._labels = [], []

    def add(self, element, outputs):
        if self._train is not None and "label" in element:
            self._features.append(outputs["features"])
            self._labels.append(np.asarray(element["label"]))

    def scores(self):
        if not self._labels:
            return {}
        features, labels = self._train
        settings = evaluation.ProbeSettings(
            int(np.max(labels)) + 1,
            ("knn", "linear"),
            knn_k=min(_KNN_K, len(labels)),
        )
        found = evaluation.probe_features(
            features,
            labels,
            np.concatenate(self._features),
            np.concatenate(self._labels),
            settings,
        )
        return {name: score.accuracy for name, score in found.items()}


def _rows(batch, names):
    """Returns a dict of arrays for each image of a batch."""
    columns = [np.asarray(batch[name]) for name in names]
    return [
        dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)
    ]
