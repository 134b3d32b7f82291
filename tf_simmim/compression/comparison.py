"""Two networks on the same images: how they agree, and what each is worth.

Dimension key:
  B: batch   H W: image, px   C: channels   D: features
"""

import numpy as np

from tf_simmim import models
from tf_simmim.compression import agreement
from tf_simmim.compression import tallies
from tf_simmim.compression.agreement import Agreement

_PER_ANCHOR_THRESHOLD = 0.0  # a logit: a probability of a half


def compare(model, networks, images, train_images=None):
    """Shows images to two networks, once, and compares what they answer.

    Args:
        model: model of the original, which says what the answers are.
        networks: (`Network` of the original, `Network` of the smaller one).
        images: iterable of batches, as often as is asked: dicts with `image`
            float [B, H, W, C], normalised, and what there is of `label`,
            `segmentation`, or `boxes` and `box_classes`.
        train_images: the same with `label`, which probes of networks without
            a head learn from; or None for no probes.

    Returns:
        (`Agreement`, [scores of the original, of the smaller one], number of
        images). Scores are {name: float}, without labels empty.

    Raises:
        ValueError: there is no image, or only one where images are compared
            with each other.
        FloatingPointError: a network's answer is not finite.
    """
    train = [None, None]
    if train_images is not None and not _has_head(model):
        train = [_features(network, train_images) for network in networks]
    scores = [tallies.tally_for(model, each) for each in train]
    answers = _Answers(model)
    for element in images:
        batch = np.asarray(element["image"])
        outputs = [network.outputs(batch) for network in networks]
        for found, tally in zip(outputs, scores, strict=True):
            _require_finite(found)
            tally.add(element, found)
        answers.add(outputs[0], outputs[1], len(batch))
    return answers.result(), [s.scores() for s in scores], answers.num_images


def _has_head(model):
    has_head = models.Classifier | models.Segmenter | models.Detector
    return isinstance(model, has_head)


def _features(network, images):
    """Returns (float [N, D], int [N]) of labelled images."""
    pairs = [
        (
            network.outputs(np.asarray(element["image"]))["features"],
            np.asarray(element["label"]),
        )
        for element in images
    ]
    features, labels = zip(*pairs, strict=True)
    return np.concatenate(features), np.concatenate(labels)


def _require_finite(outputs):
    for name, value in outputs.items():
        if not np.all(np.isfinite(value)):
            raise FloatingPointError(
                f"The {name} of a network are not finite for an image that it "
                "is compared by."
            )


class _Answers:
    """How far the answers of two networks are apart, batch by batch."""

    def __init__(self, model):
        self._of = "similarities"
        self._divergence = agreement.kl_divergence
        self._best = _largest
        if isinstance(model, models.Classifier):
            self._of = "predictions"
        elif isinstance(model, models.Segmenter):
            self._of = "pixels"
        elif isinstance(model, models.Detector):
            self._of = "anchors"
            self._divergence = agreement.sigmoid_kl_divergence
            self._best = _largest_or_none
        self._kl, self._same, self._count = 0.0, 0, 0
        self._features = ([], [])
        self.num_images = 0

    def add(self, original, other, num_images):
        """Takes the outputs of both networks for one batch."""
        self.num_images += num_images
        if self._of != "similarities":
            self._add(original["logits"], other["logits"])
        if "features" in other:
            self._features[0].append(original["features"])
            self._features[1].append(other["features"])

    def result(self) -> Agreement:
        """Returns what has come of it."""
        least = 3 if self._of == "similarities" else 1
        if self.num_images < least:
            raise ValueError(
                f"`images` must be at least {least} to compare networks by. "
                f"Received: {self.num_images}."
            )
        cka = None
        if self._features[0]:
            features = [np.concatenate(each) for each in self._features]
            cka = agreement.linear_cka(features[0], features[1])
            if self._of == "similarities":
                logits = [agreement.similarity_logits(f) for f in features]
                self._add(logits[0], logits[1])
        return Agreement(
            self._of,
            max(0.0, self._kl / self._count),  # rounding may give less
            float(self._same / self._count),
            cka,
        )

    def _add(self, logits, others):
        self._kl += float(np.sum(self._divergence(logits, others)))
        same = self._best(logits) == self._best(others)
        self._same += int(np.sum(same))
        self._count += same.size


def _largest(logits):
    return np.argmax(logits, axis=-1)


def _largest_or_none(logits):
    is_there = np.max(logits, axis=-1) > _PER_ANCHOR_THRESHOLD
    return np.where(is_there, np.argmax(logits, axis=-1), -1)
