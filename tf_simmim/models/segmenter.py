"""Segmenter: a class for every pixel, from any backbone's pyramid.

Dimension key:
  B: batch   H W: image, px   C: channels   L: classes
"""

import numpy as np
import tensorflow as tf

from tf_simmim import heads
from tf_simmim import layers
from tf_simmim import losses
from tf_simmim import metrics
from tf_simmim import optimization
from tf_simmim import randomness
from tf_simmim import shares
from tf_simmim.models import elements
from tf_simmim.models import extra_metrics
from tf_simmim.models import pyramids
from tf_simmim.models import scalable_model


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class Segmenter(scalable_model.ScalableModel):
    """Tells the class of every pixel of images.

    The maps of a backbone go through a feature pyramid (of the single map of
    a ViT, a simple feature pyramid makes several) and a head that adds them
    up; its logits are enlarged to the size of the image, bilinearly. The loss
    is the mean cross entropy of all pixels that have a class, in the whole
    global batch; weighted by their classes, if that is wanted.

    `fit` takes element dicts with `image` and `segmentation` (other keys are
    ignored), or pairs of them.

    Args:
        backbone: a backbone of `tf_simmim.backbones`.
        num_classes: int > 0, L.
        width: int > 0. Features of the pyramid and of the head; 256 and 128
            in the papers.
        ignore_label: int. Class of pixels that count for nothing; 255, as in
            most data sets.
        seed: int. Of drop path.
        class_weights: L floats > 0, or None (default): how much a pixel of
            each class counts in the loss. Where one class covers most pixels,
            a smaller weight for it lets the others be learnt in fewer steps;
            scores do not know of it.
        **kwargs: passed to `tf.keras.Model`. The backbone has its own `dtype`;
            without one, both follow Keras' global policy.

    Call arguments:
        inputs: float [B, H, W, C], normalised images; or an element dict.
        training: bool.
        seed: int64 [2] or None. Of drop path, for the global batch.

    Returns:
        float32 [B, H, W, L]. Logits.

    Attributes:
        normalize: callable, uint8 [B, H, W, C] -> float32; or None. As of
            `SimMIM`.
        scores: `metrics.SegmentationScores`, of the latest evaluation.

    Raises:
        ValueError: an argument is not positive, `ignore_label` is a class,
            `class_weights` are not one for each class, an element without
            `image`, in training without `segmentation`, or images of another
            size than the backbone's.

    State: besides weights, the metrics of `ScalableModel` in training; in
        evaluation `loss`, `accuracy` and `mean_iou`. Metrics of `compile`
        compare the pixels that have a class, as of a `Classifier`'s images.
    Randomness: drop path of step t is a function of (`seed`, t, place in the
        global batch).

    Source: Kirillov et al., Panoptic Feature Pyramid Networks, 2019,
        https://arxiv.org/abs/1901.02446; for a ViT, Li et al., 2022,
        https://arxiv.org/abs/2203.16527. See `heads.SegmentationHead`.
    """

    _instead_of_loss = "Use `Segmenter(class_weights=)`."
    _other_results = ("accuracy", "mean_iou")

    def __init__(
        self,
        backbone,
        num_classes,
        width=128,
        ignore_label=255,
        seed=0,
        class_weights=None,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        _require_weights(class_weights, num_classes)
        self.backbone = backbone
        self.num_classes = num_classes
        self.width = width
        self.ignore_label = ignore_label
        if class_weights is not None:
            class_weights = tuple(float(weight) for weight in class_weights)
        self.class_weights = class_weights
        self.seed = seed
        self.normalize = None
        self.scores = metrics.SegmentationScores(num_classes, ignore_label)

        self.pyramid, strides = pyramids.create(
            backbone, width, self.dtype_policy
        )
        self.head = heads.SegmentationHead(
            num_classes,
            len(strides),
            width,
            dtype=self.dtype_policy,
            name="head",
        )
        self(pyramids.blank(backbone))

    @property
    def metrics(self):
        """The model's metrics, which `fit` resets between epochs."""
        return [*super().metrics, self.scores]

    def call(self, inputs, training=None, seed=None):
        element = elements.as_element(inputs)
        images = elements.normalized_images(element, self.normalize)
        maps = pyramids.maps_of(
            self.backbone, self.pyramid, images, training, seed
        )
        logits = self.head(maps)
        return layers.enlarge(logits, self.backbone.image_size)

    def train_step(self, data):
        """Takes one optimizer step on a batch; see `ScalableModel.take_step`.

        Args:
            data: an element dict, or (float [B, H, W, C], int [B, H, W, 1]);
                per replica.

        Returns:
            dict of the results of `loss`, `gradient_norm`, `skipped_steps`
            and of the metrics of `compile`.
        """
        images, segmentation = self._unpack(data)
        step = tf.identity(self.optimizer.iterations)
        seed = randomness.seed_for(self.seed, randomness.DROP_PATH, step)

        def loss_of(images, segmentation):
            logits = self(images, training=True, seed=seed)
            loss = losses.segmentation_loss(
                logits, segmentation, self.ignore_label, self.class_weights
            )
            return loss, [], [logits]

        def shares_of(images, segmentations):
            # A pixel counts as much as its class does, whatever part of the
            # global batch it is in.
            replicas = tf.distribute.get_replica_context()
            counts = self._count(segmentations)
            total = tf.reduce_sum(counts)
            if replicas.num_replicas_in_sync > 1:
                total = replicas.all_reduce(tf.distribute.ReduceOp.SUM, total)
            mean = total / replicas.num_replicas_in_sync
            return tf.math.divide_no_nan(counts, mean)

        logs = self.take_step(
            loss_of,
            [images, segmentation],
            shares_of,
            compare=lambda logits: self._compare(segmentation, logits),
        )
        # Scores are of evaluation alone.
        return {k: v for k, v in logs.items() if k not in self._other_results}

    def test_step(self, data):
        """Measures loss and scores on a batch, without drop path.

        Args:
            data: as of `train_step`.

        Returns:
            dict with the results of `loss`, `accuracy` and `mean_iou`.
        """
        images, segmentation = self._unpack(data)

        def predict(images, segmentation):
            logits = self(images, training=False)
            loss = losses.segmentation_loss(
                logits, segmentation, self.ignore_label, self.class_weights
            )
            prediction = tf.argmax(logits, -1, output_type=tf.int32)
            # Large, so handed out where it is wanted alone.
            return loss, prediction, [logits] if self.extra_metrics else []

        predict = optimization.compiled(predict, self.uses_xla)
        loss, prediction, logits = shares.run(predict, images, segmentation)
        count = tf.reduce_sum(self._count(segmentation))
        self.loss_metric.update_state(loss, sample_weight=count)
        self.scores.update_state(segmentation, prediction)
        if self.extra_metrics:
            self._compare(segmentation, *logits)
        return extra_metrics.results(
            [self.loss_metric, self.scores, *self.extra_metrics]
        )

    def _compare(self, segmentation, logits):
        """Updates extra metrics, of pixels that have a class."""
        labels = tf.reshape(tf.cast(segmentation, tf.int32), [-1])
        has_class = tf.cast(labels != self.ignore_label, tf.float32)
        extra_metrics.update_of_classes(
            self.extra_metrics,
            tf.one_hot(labels, self.num_classes),
            tf.reshape(logits, [-1, self.num_classes]),
            has_class,
        )

    def _count(self, segmentation):
        """Returns how much the pixels of each first index count."""
        return losses.count_pixels(
            segmentation, self.ignore_label, self.class_weights
        )

    def _unpack(self, data):
        """Returns (images, segmentation) of a batch in any form."""
        inputs, segmentation = elements.unpack(data)
        element = elements.as_element(inputs)
        if segmentation is None:
            segmentation = element.get("segmentation")
        if segmentation is None:
            raise ValueError(
                "An element must have the key `segmentation` to learn from. "
                f"Received keys: {sorted(element)}."
            )
        images = elements.normalized_images(element, self.normalize)
        return images, segmentation

    def get_config(self):
        return {
            **super().get_config(),
            "backbone": tf.keras.saving.serialize_keras_object(self.backbone),
            "num_classes": self.num_classes,
            "width": self.width,
            "ignore_label": self.ignore_label,
            "seed": self.seed,
            "class_weights": self.class_weights,
        }


def _require_weights(class_weights, num_classes):
    if class_weights is None:
        return
    weights = np.array(class_weights, np.float64)
    if weights.shape != (num_classes,) or not (
        np.all(weights > 0) and np.all(np.isfinite(weights))
    ):
        raise ValueError(
            "`class_weights` must be a positive number for each of the "
            f"{num_classes} classes. Received: {tuple(class_weights)}."
        )
