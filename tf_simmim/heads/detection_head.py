"""RetinaNet's head: a class and a box for each anchor of each map.

Dimension key:
  B: batch   h w: map of a level   F: width of the pyramid   L: classes
  K: anchors of a cell   A: anchors of an image = K * sum of h * w
"""

import math

import tensorflow as tf

from tf_simmim import layers

_PRIOR = 0.01  # that an anchor is on an object, at first


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class DetectionHead(tf.keras.layers.Layer):
    """Convolves every map with the same two towers, and predicts from each.

        t[0] = map
        t[i + 1] = relu(norm(conv_3x3[i](t[i])))
        y = conv_3x3(t[last])

    One tower ends in logits of classes, the other in offsets of boxes. At
    first, nothing is taken for an object: the logits are that of a
    probability of 0.01, but for a little noise.

    Args:
        num_classes: int > 0, L.
        num_anchors: int > 0, K. Of each cell.
        num_convolutions: int >= 0. Of a tower; 4 in the paper.
        width: int > 0. Features inside the towers; 256 in the paper.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        maps: list of float [B, h, w, F], one for each level.

    Returns:
        dict: `box` float32 [B, A, 4] and `classification` float32 [B, A, L],
        level by level, row by row, cell by cell; under every precision, since
        the loss is computed from them.

    Raises:
        ValueError: a number is out of its range.

    Source: Lin et al., Focal Loss for Dense Object Detection, 2017,
        https://arxiv.org/abs/1708.02002, section 4. Differs from the paper: a
        layer norm in the towers. keras-cv has one, whose width is always 256,
        and which does not heed its `dtype`.
    """

    def __init__(
        self, num_classes, num_anchors, num_convolutions=4, width=256, **kwargs
    ):
        super().__init__(**kwargs)
        if min(num_classes, num_anchors, width) <= 0 or num_convolutions < 0:
            raise ValueError(
                "`num_classes`, `num_anchors` and `width` must be positive, "
                "and `num_convolutions` not negative. "
                f"Received: num_classes={num_classes}, "
                f"num_anchors={num_anchors}, width={width}, "
                f"num_convolutions={num_convolutions}."
            )
        self.num_classes = num_classes
        self.num_anchors = num_anchors
        self.num_convolutions = num_convolutions
        self.width = width
        # Flat lists: Keras does not save what lies in lists of lists.
        self.classification_tower, self.box_tower = (
            [
                layers.NormalizedConvolution(
                    width,
                    activation="relu",
                    dtype=self.dtype_policy,
                    name=f"{name}_{i}",
                )
                for i in range(num_convolutions)
            ]
            for name in ("classification_tower", "box_tower")
        )
        self.classification, self.box = (
            tf.keras.layers.Conv2D(
                num_anchors * size,
                3,
                padding="same",
                kernel_initializer=layers.TruncatedNormal(0.01, bound=2.0),
                bias_initializer=tf.keras.initializers.Constant(bias),
                dtype=self.dtype_policy,
                name=name,
            )
            for name, size, bias in (
                (
                    "classification",
                    num_classes,
                    math.log(_PRIOR / (1 - _PRIOR)),
                ),
                ("box", 4, 0.0),
            )
        )

    def call(self, maps):
        classification = [
            self._predict(
                each,
                self.classification_tower,
                self.classification,
                self.num_classes,
            )
            for each in maps
        ]
        box = [
            self._predict(each, self.box_tower, self.box, 4) for each in maps
        ]
        return {
            "box": tf.concat(box, axis=1),  # [B, A, 4]
            "classification": tf.concat(classification, axis=1),  # [B, A, L]
        }

    def _predict(self, x, tower, last, size):
        """Returns `size` numbers for each anchor of a map."""
        for convolution in tower:
            x = convolution(x)
        x = tf.cast(last(x), tf.float32)  # [B, h, w, K * size]
        num_anchors = self.num_anchors * x.shape[1] * x.shape[2]
        # -1: a batch may be of an unknown size.
        return tf.reshape(x, [-1, num_anchors, size])

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "num_anchors": self.num_anchors,
            "num_convolutions": self.num_convolutions,
            "width": self.width,
        }
