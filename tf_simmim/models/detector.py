"""Detector: boxes of objects and their classes, from any backbone's pyramid.

Dimension key:
  B: batch   H W: image, px   C: channels   L: classes
  A: anchors of an image   N: boxes of an image, at most   M: most detections
"""

import tensorflow as tf

from tf_simmim import boxes
from tf_simmim import heads
from tf_simmim import losses
from tf_simmim import metrics
from tf_simmim import optimization
from tf_simmim import randomness
from tf_simmim import shares
from tf_simmim.models import elements
from tf_simmim.models import extra_metrics
from tf_simmim.models import pyramids
from tf_simmim.models import scalable_model

_OUTPUTS = ("box", "classification")


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class Detector(scalable_model.ScalableModel):
    """RetinaNet: finds the objects of images, and says what they are.

    The maps of a backbone go through a feature pyramid (of the single map of
    a ViT, a simple feature pyramid makes several); the last one, thinned out,
    gives coarser ones until an anchor is as large as the image. One head
    tells of each anchor what it is on, and how far from it. The loss is focal
    loss of classes, and smooth L1 of boxes, over the anchors on objects in
    the whole global batch.

    `fit` takes element dicts with `image`, `boxes` and `box_classes` (other
    keys are ignored), or pairs of images and a dict of the latter two.

    Anchors, matching and non-maximum suppression are keras-cv's. Its
    `RetinaNet` itself is not used: it wants a functional model with exactly
    three maps, has no place for the seed of drop path, and takes the mean
    over each replica's own anchors, so that two replicas learn something else
    than one.

    Args:
        backbone: a backbone of `tf_simmim.backbones`.
        num_classes: int > 0, L; without one for the background.
        width: int > 0. Features of the pyramid and of the head; 256 in the
            paper.
        num_convolutions: int >= 0. Of each of the head's two towers; 4 in the
            paper.
        seed: int. Of drop path.
        **kwargs: passed to `tf.keras.Model`. The backbone has its own `dtype`;
            without one, both follow Keras' global policy.

    Call arguments:
        inputs: float [B, H, W, C], normalised images; or an element dict.
        training: bool.
        seed: int64 [2] or None. Of drop path, for the global batch.

    Returns:
        dict: `box` float32 [B, A, 4], offsets from `anchors`, and
        `classification` float32 [B, A, L], logits. `detect` and `predict`
        make boxes of them.

    Attributes:
        anchors: float32 array [A, 4]: top, left, bottom, right, px.
        strides: tuple of int, px. Of the maps, finest first.
        suppression: `boxes.Suppression`. What `detect` ends with; another may
            be set. No part of the configuration.
        normalize: callable, uint8 [B, H, W, C] -> float32; or None. As of
            `SimMIM`.

    Raises:
        ValueError: an argument is out of its range, an element without
            `image`, in training without `boxes` or `box_classes`, or images
            of another size than the backbone's.

    State: besides weights, the metrics of `ScalableModel` in training, with
        the two parts of the loss, `box_loss` and `classification_loss`; in
        evaluation the loss and these. Metrics of `compile` compare a dict of
        the element's `boxes` and `classes` with what `detect` returns, which
        costs time where there are any.
    Randomness: drop path of step t is a function of (`seed`, t, place in the
        global batch).

    Source: Lin et al., Focal Loss for Dense Object Detection, 2017,
        https://arxiv.org/abs/1708.02002; for a ViT, Li et al., 2022,
        https://arxiv.org/abs/2203.16527. Differs from the paper: it begins at
        the finest stride of the backbone, 4 px as a rule; coarser maps are
        thinned out, as in https://arxiv.org/abs/1612.03144, footnote 1. See
        `heads.DetectionHead` and `losses.detection_losses`.
    """

    _instead_of_loss = "Use `losses.detection_losses` in a loop of your own."
    _num_predictions = 2

    def __init__(
        self,
        backbone,
        num_classes,
        width=256,
        num_convolutions=4,
        seed=0,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        self.backbone = backbone
        self.num_classes = num_classes
        self.width = width
        self.num_convolutions = num_convolutions
        self.seed = seed
        self.normalize = None
        self.part_metrics = [
            metrics.FiniteMean(name=name)
            for name in ("classification_loss", "box_loss")
        ]

        self.pyramid, strides = pyramids.create(
            backbone, width, self.dtype_policy
        )
        self.strides = tuple(
            boxes.detection_strides(strides, backbone.image_size)
        )
        self._num_coarser = len(self.strides) - len(strides)
        self.anchors = boxes.create_anchors(backbone.image_size, self.strides)
        self._targets = boxes.AnchorTargets(self.anchors)
        self.suppression = boxes.Suppression(self.anchors, backbone.image_size)
        self.head = heads.DetectionHead(
            num_classes,
            boxes.ANCHORS_PER_CELL,
            num_convolutions,
            width,
            dtype=self.dtype_policy,
            name="head",
        )
        num_predicted = self(pyramids.blank(backbone))["box"].shape[1]
        if num_predicted != len(self.anchors):
            raise ValueError(
                "`backbone` must have maps of the size of the image over their "
                f"stride, rounded up. Received: strides {strides} for images "
                f"of {backbone.image_size} px."
            )

    @property
    def metrics(self):
        """The model's metrics, which `fit` resets between epochs."""
        return [*super().metrics, *self.part_metrics]

    def call(self, inputs, training=None, seed=None):
        element = elements.as_element(inputs)
        images = elements.normalized_images(element, self.normalize)
        maps = pyramids.maps_of(
            self.backbone, self.pyramid, images, training, seed
        )
        for _ in range(self._num_coarser):
            maps.append(tf.nn.max_pool2d(maps[-1], 1, 2, "SAME"))
        return self.head(maps)

    def detect(self, inputs) -> dict:
        """Finds the objects of images.

        Args:
            inputs: as of a call.

        Returns:
            dict of tensors as from `boxes.Suppression`: `boxes` float32
            [B, M, 4], top, left, bottom, right, px; `classes` int64 [B, M];
            `confidence` float32 [B, M]; the surest first, -1 where there is
            nothing any more; and `num_detections` int32 [B].
        """
        return self.suppression(**self(inputs, training=False))

    def predict_step(self, data):
        """Returns what `detect` finds, for `predict`."""
        inputs, _, _ = tf.keras.utils.unpack_x_y_sample_weight(data)
        return self.detect(inputs)

    def train_step(self, data):
        """Takes one optimizer step on a batch; see `ScalableModel.take_step`.

        Args:
            data: an element dict, or (float [B, H, W, C], dict of `boxes`
                float [B, N, 4], px, and `box_classes` int [B, N]); per
                replica.

        Returns:
            dict of the metrics' results.
        """
        images, targets = self._unpack(data)
        step = tf.identity(self.optimizer.iterations)
        seed = randomness.seed_for(self.seed, randomness.DROP_PATH, step)

        def loss_of(images, *targets):
            outputs = self(images, training=True, seed=seed)
            parts = losses.detection_losses(**outputs, **_named(targets))
            predictions = [outputs[name] for name in _OUTPUTS]
            return tf.add_n(parts), list(parts), predictions

        def shares_of(images, box_targets, class_targets):
            # Each anchor on an object of the global batch counts the same.
            replicas = tf.distribute.get_replica_context()
            counts = losses.count_positives(class_targets)
            total = tf.reduce_sum(counts)
            if replicas.num_replicas_in_sync > 1:
                total = replicas.all_reduce(tf.distribute.ReduceOp.SUM, total)
            return counts * replicas.num_replicas_in_sync / total

        return self.take_step(
            loss_of,
            [images, *targets],
            shares_of,
            self.part_metrics,
            lambda *predictions: self._compare(data, predictions),
        )

    def test_step(self, data):
        """Measures the loss on a batch, without drop path.

        Args:
            data: as of `train_step`.

        Returns:
            dict with the results of `loss`, of its two parts, and of the
            metrics of `compile`.
        """
        images, targets = self._unpack(data)

        def measure(images, *targets):
            outputs = self(images, training=False)
            parts = losses.detection_losses(**outputs, **_named(targets))
            return [tf.add_n(parts), *parts], [outputs[n] for n in _OUTPUTS]

        measure = optimization.compiled(measure, self.uses_xla)
        measured = [self.loss_metric, *self.part_metrics]
        weight = tf.reduce_sum(losses.count_positives(targets[1]))
        values, predictions = shares.run(measure, images, *targets)
        if self.extra_metrics:
            self._compare(data, predictions)
        for metric, value in zip(measured, values, strict=True):
            metric.update_state(value, sample_weight=weight)
        return extra_metrics.results([*measured, *self.extra_metrics])

    def _compare(self, data, predictions):
        """Updates extra metrics, by what is there and what is found."""
        element = _element(data)
        truth = {"boxes": element["boxes"], "classes": element["box_classes"]}
        outputs = dict(zip(_OUTPUTS, predictions, strict=True))
        found = self.suppression(**outputs)
        for metric in self.extra_metrics:
            extra_metrics.update(metric, truth, found)

    def _unpack(self, data):
        """Returns (images, targets of anchors) of a batch in any form."""
        element = _element(data)
        images = elements.normalized_images(element, self.normalize)
        # Outside of what XLA compiles: it has no gradient, and needs no speed.
        return images, self._targets(element["boxes"], element["box_classes"])

    def get_config(self):
        return {
            **super().get_config(),
            "backbone": tf.keras.saving.serialize_keras_object(self.backbone),
            "num_classes": self.num_classes,
            "width": self.width,
            "num_convolutions": self.num_convolutions,
            "seed": self.seed,
        }


def _element(data):
    """Returns the element of a batch in any form."""
    inputs, truth = elements.unpack(data)
    element = {**elements.as_element(inputs), **(truth or {})}
    if not {"boxes", "box_classes"} <= element.keys():
        raise ValueError(
            "An element must have the keys `boxes` and `box_classes` to "
            f"learn from. Received keys: {sorted(element)}."
        )
    return element


def _named(targets):
    box_targets, class_targets = targets
    return {"box_targets": box_targets, "class_targets": class_targets}
