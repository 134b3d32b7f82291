"""Classifier: a backbone and a linear head, for fine-tuning with labels.

Dimension key:
  B: batch   H W: image, px   C: channels   h' w': feature map
  D: num_features   L: num_classes
"""

import tensorflow as tf

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

_TOP_K = 5
# The reference makes a ViT's head a thousand times smaller than a Swin's.
_STDDEV, _NORMALIZED_STDDEV = 0.02, 2e-5


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class Classifier(scalable_model.ScalableModel):
    """Learns to name images, with all weights of a backbone.

    The head sees the mean of the feature map. Where the backbone ends in a
    norm (Swin; ConvNeXt, and ResNet version 2), the mean is that of normalised
    features; a backbone without one, `ViT(final_norm=False)`, gets a new norm
    after the mean, which is how the reference fine-tunes a ViT.
    `backbones.for_classification` makes the backbone that fits a pretrained
    one, and `convert.transfer_weights` fills it.

    `fit` takes pairs (images, labels), or element dicts with `image` and
    `label` (other keys are ignored). Labels are classes in integers, or one
    float a class, from MixUp or CutMix, which are used as they are.

    Args:
        backbone: a backbone of `tf_simmim.backbones`. What stands in for
            hidden patches takes no part, and is set not to be trained.
        num_classes: int >= 2, L.
        class_names: sequence of L different str, or None. Kept with the
            model, for whoever reads its answers.
        label_smoothing: float in [0, 1). Of integer labels, in training; 0.1
            in the reference.
        seed: int. Of drop path.
        **kwargs: passed to `tf.keras.Model`. The backbone has its own `dtype`;
            without one, both follow Keras' global policy.

    Call arguments:
        inputs: float [B, H, W, C], normalised images; or an element dict.
        training: bool.
        seed: int64 [2] or None. Of drop path, for the global batch.

    Returns:
        float32 [B, L]: logits.

    Attributes:
        normalize: callable, uint8 [B, H, W, C] -> float32; or None. Set it
            (to `data.Normalization().normalize`) to feed the model pixels: it
            then normalises uint8 images itself, on the device. No part of
            the configuration.

    Raises:
        ValueError: an impossible number of classes, names that do not fit it,
            or `label_smoothing`; an element without `image` or `label`; images
            of another size than the backbone's, or labels of another shape.

    State: besides weights, metrics. Of training, each the mean over the steps
        since they were last reset that had finite numbers: `loss`,
        `gradient_norm` (of all replicas, before clipping), `accuracy`, and
        `top_5_accuracy` where there are more than 5 classes; both count what
        the largest target says, of mixed labels too. And `skipped_steps`, the
        number of steps whose loss or gradient was not finite, in all. Of
        evaluation: the cross-entropy without smoothing, and both accuracies.
        Metrics of `compile` compare targets without smoothing, float32
        [B, L], with probabilities; see `extra_metrics.update_of_classes`.
    Randomness: drop path of step t is a function of (`seed`, t, place in the
        global batch), t being `optimizer.iterations`.

    Source: Xie et al., SimMIM, 2021, https://arxiv.org/abs/2111.09886,
        section 4.1.1, and its reference code. Differs for ConvNeXt, whose
        authors average before the norm: here the norm has been pretrained
        cell by cell.
    """

    _instead_of_loss = "Use `Classifier(label_smoothing=)`, or mixed labels."

    def __init__(
        self,
        backbone,
        num_classes,
        class_names=None,
        label_smoothing=0.1,
        seed=0,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        if not isinstance(num_classes, int) or num_classes < 2:
            raise ValueError(
                "`num_classes` must be an int of 2 or more. "
                f"Received: {num_classes!r}."
            )
        if not 0 <= label_smoothing < 1:
            raise ValueError(
                "`label_smoothing` must lie in [0, 1). "
                f"Received: {label_smoothing}."
            )
        self.backbone = backbone
        self.num_classes = num_classes
        self.class_names = _names(class_names, num_classes)
        self.label_smoothing = label_smoothing
        self.seed = seed
        self.normalize = None

        for name in ("mask_token", "mask_color"):
            if hasattr(backbone, name):
                getattr(backbone, name).trainable = False
        normalize = not getattr(backbone, "final_norm", True)
        self.head = heads.ClassificationHead(
            num_classes,
            normalize=normalize,
            stddev=_NORMALIZED_STDDEV if normalize else _STDDEV,
            epsilon=backbone.epsilon if normalize else 1e-6,
            dtype=self.dtype_policy,
            name="head",
        )
        feature_map = [side // backbone.stride for side in backbone.image_size]
        self.head(tf.zeros([1, *feature_map, backbone.num_features]))
        self.accuracy_metrics = [
            metrics.FiniteMean(name=name)
            for name in ("accuracy", f"top_{_TOP_K}_accuracy")
        ][: 2 if num_classes > _TOP_K else 1]
        # Keras saves a model in a folder by the images of its first call.
        self(pyramids.blank(backbone))

    @property
    def metrics(self):
        """The model's metrics, which `fit` resets between epochs."""
        return [*super().metrics, *self.accuracy_metrics]

    @property
    def reference_no_weight_decay(self):
        """Names that the reference exempts from weight decay here."""
        return getattr(
            self.backbone,
            "reference_no_weight_decay_when_classifying",
            self.backbone.reference_no_weight_decay,
        )

    def call(self, inputs, training=None, seed=None):
        element = elements.as_element(inputs)
        images = elements.normalized_images(element, self.normalize)
        return self.head(self.backbone(images, training=training, seed=seed))

    def train_step(self, data):
        """Takes one optimizer step on a batch; see `ScalableModel.take_step`.

        Args:
            data: a pair of float [B, H, W, C] and labels, or an element dict;
                per replica.

        Returns:
            dict of the metrics' results.
        """
        images, targets = self._unpack(data, self.label_smoothing)
        step = tf.identity(self.optimizer.iterations)
        seed = randomness.seed_for(self.seed, randomness.DROP_PATH, step)

        def loss_of(images, targets):
            logits = self(images, training=True, seed=seed)
            loss = losses.cross_entropy(logits, targets)
            return loss, self._accuracies(logits, targets), [logits]

        def shares_of(images, targets):
            num_parts = images.shape[0]
            return tf.fill([num_parts], 1.0 / num_parts)

        def compare(logits):
            _, targets = self._unpack(data, label_smoothing=0.0)
            extra_metrics.update_of_classes(self.extra_metrics, targets, logits)

        return self.take_step(
            loss_of,
            [images, targets],
            shares_of,
            self.accuracy_metrics,
            compare,
        )

    def test_step(self, data):
        """Measures loss and accuracy on a batch, without drop path.

        Args:
            data: a pair of float [B, H, W, C] and labels, or an element dict;
                per replica.

        Returns:
            dict with the results of the metrics `loss`, of accuracy, and of
            `compile`.

        Raises:
            tf.errors.InvalidArgumentError: a label is no class and no
                distribution over classes, which nothing counts here (but on a
                TPU, which cannot tell).
        """
        images, targets = self._unpack(data, label_smoothing=0.0)
        targets = tf.debugging.check_numerics(
            targets,
            f"`label` must lie in [0, {self.num_classes}), or be floats of 0 "
            "or more whose sum is 1; but",
        )

        def measure(images, targets):
            logits = self(images, training=False)
            loss = losses.cross_entropy(logits, targets)
            return [loss, *self._accuracies(logits, targets)], logits

        measure = optimization.compiled(measure, self.uses_xla)
        measured = [self.loss_metric, *self.accuracy_metrics]
        values, logits = shares.run(measure, images, targets)
        extra_metrics.update_of_classes(self.extra_metrics, targets, logits)
        for metric, value in zip(measured, values, strict=True):
            metric.update_state(value, sample_weight=tf.shape(images)[0])
        return extra_metrics.results([*measured, *self.extra_metrics])

    def _accuracies(self, logits, targets):
        ks = (1, _TOP_K)[: len(self.accuracy_metrics)]
        return [losses.top_k_accuracy(logits, targets, k) for k in ks]

    def _unpack(self, data, label_smoothing):
        """Returns (images, float32 [B, L]) of a batch in any form."""
        element = elements.as_element(data)
        if "label" not in element:
            raise ValueError(
                "An element must have the key `label` to learn from. "
                f"Received keys: {sorted(element)}."
            )
        images = elements.normalized_images(element, self.normalize)
        targets = losses.class_targets(
            element["label"], self.num_classes, label_smoothing
        )
        return images, targets

    def get_config(self):
        return {
            **super().get_config(),
            "backbone": tf.keras.saving.serialize_keras_object(self.backbone),
            "num_classes": self.num_classes,
            "class_names": self.class_names and list(self.class_names),
            "label_smoothing": self.label_smoothing,
            "seed": self.seed,
        }


def _names(class_names, num_classes):
    """Returns the names as a tuple, or None without any."""
    if class_names is None:
        return None
    names = tuple(class_names)
    if (
        isinstance(class_names, str)
        or not all(isinstance(name, str) for name in names)
        or len(names) != num_classes
        or len(set(names)) != num_classes
    ):
        raise ValueError(
            f"`class_names` must be {num_classes} different names, one a "
            f"class. Received: {class_names!r}."
        )
    return names
