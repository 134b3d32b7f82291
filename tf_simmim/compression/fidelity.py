"""How far a model's answers are from those it gave before.

Dimension key:
  B: batch   H W: image, px   C: channels   n: images in all
"""

import numpy as np
import tensorflow as tf

from tf_simmim import models
from tf_simmim.compression import agreement
from tf_simmim.models import registry


class Fidelity:
    """Compares a model with what it answered when this was made.

    One graph, which is run again after its weights have been set to others:
    thousands of changes cost a forward pass each, and none a graph.

    The answers are the predictions of a `models.Classifier`, those of every
    pixel of a `models.Segmenter`, the classes of every anchor of a
    `models.Detector`; else how similar each image is to every other.

    Args:
        model: a model of a kind in `models.registry`.
        batches: sequence of float [B, H, W, C], normalised images.
    """

    def __init__(self, model, batches):
        self._batches = [tf.constant(images) for images in batches]
        self._answers_of = _graph(model)
        self._has_head = has_head(model)
        self._divergence = agreement.kl_divergence
        if isinstance(model, models.Detector):
            self._divergence = agreement.sigmoid_kl_divergence
        self._before = self._answers()

    def kl(self) -> float:
        """Returns how far the answers are now, in nats; the mean over all.

        NaN or infinite where an answer is.
        """
        return self._distance(self._answers())

    def kl_of(self, model) -> float:
        """Returns how far the answers of another model of the kind are."""
        return self.of(model)()

    def of(self, model):
        """Returns `kl` of another model of the kind: a function, one graph."""
        answers_of = _graph(model)

        def kl():
            found = [answers_of(images).numpy() for images in self._batches]
            return self._distance(self._joined(found))

        return kl

    def best(self) -> np.ndarray:
        """Returns what each image was taken for, int [n].

        The class with the largest logit; without a head, of eight that are
        made of the features' main direction. Of many answers for an image, the
        most frequent.
        """
        if not self._has_head:
            (features,) = self._before
            centred = features - features.mean(axis=0)
            main = np.linalg.svd(centred, full_matrices=False)[2][0]
            along = centred @ main
            edges = np.quantile(along, np.linspace(0, 1, 9)[1:-1])
            return np.searchsorted(edges, along)
        best = [
            np.argmax(part, axis=-1).reshape(len(part), -1)
            for part in self._before
        ]
        return np.array(
            [np.bincount(row).argmax() for part in best for row in part]
        )

    def _answers(self):
        found = [self._answers_of(images).numpy() for images in self._batches]
        return self._joined(found)

    def _joined(self, answers):
        # Similarities are those of all images, not of a batch.
        return answers if self._has_head else [np.concatenate(answers)]

    def _distance(self, answers):
        if self._has_head:
            pairs = zip(self._before, answers, strict=True)
        else:
            pairs = [
                [
                    agreement.similarity_logits(part)
                    for part in (self._before[0], answers[0])
                ]
            ]
        distances = [np.ravel(self._divergence(*pair)) for pair in pairs]
        return float(np.mean(np.concatenate(distances)))


def has_head(model) -> bool:
    """Whether a model answers more than features."""
    kinds = models.Classifier | models.Segmenter | models.Detector
    return isinstance(model, kinds)


def answers(model, images) -> tf.Tensor:
    """Returns what a model says of images, float32, as `Fidelity` compares it.

    Args:
        model: a model of a kind in `models.registry`.
        images: float [B, H, W, C], normalised.
    """
    if isinstance(model, models.Detector):
        found = model(images, training=False)["classification"]
    elif has_head(model):
        found = model(images, training=False)
    else:
        kind = registry.kind_of(model)
        found = kind.pool(model, model.backbone(images, training=False))
    return tf.cast(found, tf.float32)


def _graph(model):
    backbone = model.backbone
    shape = [None, *backbone.image_size, backbone.channels]
    return tf.function(
        lambda images: answers(model, images),
        input_signature=[tf.TensorSpec(shape, tf.float32)],
    )
