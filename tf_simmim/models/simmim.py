"""SimMIM: masked image modeling with any backbone, as a Keras model.

Dimension key:
  B: batch   H W: image, px   C: channels   P: model patch, px
  h w: grid of model patches = H/P, W/P   S: encoder stride, px
  h' w': feature map = H/S, W/S   D: num_features   F: S*S*C
  n: hidden cells of the feature map
"""

import tensorflow as tf

from tf_simmim import heads
from tf_simmim import losses
from tf_simmim import masking
from tf_simmim import optimization
from tf_simmim import randomness
from tf_simmim import shares
from tf_simmim.heads import cells as cells_lib
from tf_simmim.models import elements
from tf_simmim.models import extra_metrics
from tf_simmim.models import pyramids
from tf_simmim.models import scalable_model


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class SimMIM(scalable_model.ScalableModel):
    """Hides patches of images and learns to predict their pixels.

    The backbone sees the image with a mask token in place of every hidden
    patch; a head, linear in the paper, predicts the pixels under each cell of
    its feature map; the loss is the mean error over hidden pixels alone.

    Training and evaluation compute the prediction, and what the backbone can
    leave out of its last block, at hidden cells alone: the same loss and
    gradients for less. That takes masks that hide whole cells, and of these
    no more than `mask_ratio` does; a batch with other masks is computed in
    full. So is what `call` and `reconstruct` return.

    `fit` takes images, or element dicts with `image` and `patch_mask` (other
    keys are ignored). Where there is no mask, one is drawn in the step.

    Args:
        backbone: a backbone of `tf_simmim.backbones`; the network to pretrain.
        mask_patch_size: int, px. Side of the squares that are hidden; 32 in
            the paper.
        mask_ratio: float in (0, 1). Fraction of squares to hide, counted up;
            0.6 in the paper.
        mask_strategy: one of `masking.STRATEGIES`: how the squares to hide are
            chosen; "random" in the paper.
        target: "pixels" (the paper's), "patch_normalized" or
            "window_normalized"; see `losses.target_statistics`.
        reconstruction_loss: "l1" (the paper's), "l2" or "smooth_l1".
        head: "linear" (the paper's), "mlp", "decoder" or "cross_attention";
            see `tf_simmim.heads`. Only the last two for a backbone with
            `visible_only` (MAE's encoder, not SimMIM).
        seed: int. Of the masks drawn in the step, and of drop path.
        random_mask: `masking.PatchMask` of one of `masking.STRATEGIES`, or
            None (default) for one of the sizes above. With one, its sizes,
            ratio and strategy stand for `mask_patch_size`, `mask_ratio` and
            `mask_strategy`. A `data.ImageStream` takes the same object.
        **kwargs: passed to `tf.keras.Model`. The backbone has its own `dtype`;
            without one, both follow Keras' global policy.

    Call arguments:
        inputs: float [B, H, W, C], normalised images; or an element dict.
        patch_mask: int or bool [B, h, w] or None. 1 = hidden, 0 = visible.
        training: bool.
        seed: int64 [2] or None. Of drop path, for the global batch.

    Returns:
        dict: `reconstruction` float32 [B, H, W, C], in the units of the
        images; `features` float [B, h', w', D].

    Attributes:
        random_mask: `masking.PatchMask`, which draws the masks.
        normalize: callable, uint8 [B, H, W, C] -> float32; or None. Set it
            (to `data.Normalization().normalize`) to feed the model pixels: it
            then normalises uint8 images itself, on the device. No part of
            the configuration.

    Raises:
        ValueError: an impossible size, ratio or option; `random_mask` is for
            other patches than the backbone's, or of no known strategy; an
            element without `image`; images or masks of another size than the
            backbone's.

    State: besides weights, the metrics `loss` and `gradient_norm` (global
        norm of the gradients of all replicas, before clipping), each the mean
        of finite ones since they were last reset (NaN without any); and
        `skipped_steps`, the number of steps whose loss or gradient was not
        finite, in all. Metrics of `compile` compare images, float32
        [B, H, W, C], with themselves where hidden pixels are predicted ones;
        predictions are then computed at all cells, which costs time.
    Randomness: masks and drop path of step t are functions of (`seed`, t,
        place in the global batch), t being `optimizer.iterations`. The masks
        drawn in the step are those of an `ImageStream` of the same seed, as
        long as all batches have the same size: with smaller ones in between,
        a step cannot tell how many images came before it. Evaluation draws
        the masks of the first batch for every batch.

    Source: Xie et al., SimMIM: A Simple Framework for Masked Image Modeling,
        2021, https://arxiv.org/abs/2111.09886.
    """

    _instead_of_loss = (
        "Use `SimMIM(reconstruction_loss=)` and `SimMIM(target=)`."
    )

    def __init__(
        self,
        backbone,
        mask_patch_size=32,
        mask_ratio=0.6,
        mask_strategy="random",
        target="pixels",
        reconstruction_loss="l1",
        seed=0,
        head="linear",
        random_mask=None,
        **kwargs,
    ):
        # Not cast to the compute dtype: they are the target as well.
        super().__init__(autocast=False, **kwargs)
        if target not in losses.TARGETS:
            raise ValueError(
                f"`target` must be one of {losses.TARGETS}. "
                f"Received: {target!r}."
            )
        if backbone.stride < 2:
            raise ValueError(
                "`backbone` must have a stride of 2 px or more: a cell of one "
                f"pixel has no shape to predict. Received: {backbone.stride}."
            )
        if reconstruction_loss not in losses.LOSSES:
            raise ValueError(
                f"`reconstruction_loss` must be one of {losses.LOSSES}. "
                f"Received: {reconstruction_loss!r}."
            )
        if random_mask is None:
            random_mask = masking.create(
                mask_strategy,
                backbone.image_size,
                backbone.patch_size,
                mask_patch_size,
                mask_ratio,
            )
        else:
            mask_patch_size = random_mask.mask_patch_size
            mask_ratio = random_mask.mask_ratio
            mask_strategy = masking.strategy_of(random_mask)
            _require_fit(random_mask, backbone)
        self.backbone = backbone
        self.random_mask = random_mask
        self.mask_patch_size = mask_patch_size
        self.mask_ratio = mask_ratio
        self.mask_strategy = mask_strategy
        self.target = target
        self.reconstruction_loss = reconstruction_loss
        self.seed = seed
        self.head_name = head
        self.normalize = None

        self.head = heads.create_for(
            backbone, head, dtype=self.dtype_policy, name="head"
        )
        feature_map = [side // backbone.stride for side in backbone.image_size]
        self.head(tf.zeros([1, *feature_map, backbone.num_features]))
        # Keras saves a model in a folder by the images of its first call.
        self(pyramids.blank(backbone))

    def call(self, inputs, patch_mask=None, training=None, seed=None):
        images, element_mask = self._unpack(inputs)
        if patch_mask is None:
            patch_mask = element_mask
        features, prediction = self._predict(images, patch_mask, training, seed)
        return {
            "reconstruction": self._to_pixels(images, prediction),
            "features": features,
        }

    def reconstruct(self, images, patch_mask):
        """Reconstructs images from their visible patches.

        Args:
            images: float [B, H, W, C]. Normalised.
            patch_mask: int or bool [B, h, w]. 1 = hidden, 0 = visible.

        Returns:
            dict: `reconstruction` float32 [B, H, W, C] (the prediction for
            every pixel, visible ones too; with a normalised target, scaled
            back by the statistics of the true image), `features`
            float [B, h', w', D], `loss` float32 [].
        """
        features, prediction = self._predict(images, patch_mask, training=False)
        return {
            "reconstruction": self._to_pixels(images, prediction),
            "features": features,
            "loss": self._loss(images, patch_mask, prediction),
        }

    def train_step(self, data):
        """Takes one optimizer step on a batch of images or elements.

        See `ScalableModel.take_step`.

        Args:
            data: float [B, H, W, C], or an element dict; per replica.

        Returns:
            dict of the metrics' results.
        """
        images, patch_mask = self._unpack(data)
        step = tf.identity(self.optimizer.iterations)
        if patch_mask is None:
            patch_mask = self._draw_mask(images, step)
        seed = randomness.seed_for(self.seed, randomness.DROP_PATH, step)

        def loss_of(images, patch_mask):
            if not self.extra_metrics:
                loss = self._step_loss(images, patch_mask, True, seed)
                return loss, [], []
            return self._compared(images, patch_mask, True, seed)

        def shares_of(images, patch_masks):
            return losses.shares_of_loss(patch_masks, self.backbone.patch_size)

        return self.take_step(
            loss_of,
            [images, patch_mask],
            shares_of,
            compare=lambda inpainted: self._compare(images, inpainted),
        )

    def test_step(self, data):
        """Measures the loss on a batch, without drop path.

        Args:
            data: float [B, H, W, C], or an element dict; per replica.

        Returns:
            dict with the results of `loss` and of the metrics of `compile`.
        """
        images, patch_mask = self._unpack(data)
        if patch_mask is None:
            patch_mask = self._draw_mask(images, step=0)

        def loss_of(images, patch_mask):
            if not self.extra_metrics:
                return [self._step_loss(images, patch_mask, training=False)]
            loss, _, inpainted = self._compared(images, patch_mask, False)
            return [loss, *inpainted]

        loss_of = optimization.compiled(loss_of, self.uses_xla)
        # A network that encodes visible patches alone takes no other mask.
        rows = (
            tf.zeros([1, *images.shape[1:]]),
            self.random_mask.of_step(self.seed, 0, 1),
        )
        loss, *inpainted = shares.run(loss_of, images, patch_mask, rows=rows)
        self.loss_metric.update_state(loss, sample_weight=tf.shape(images)[0])
        if self.extra_metrics:
            self._compare(images, *inpainted)
        return extra_metrics.results([self.loss_metric, *self.extra_metrics])

    def _compared(self, images, patch_mask, training, seed=None):
        """Returns (loss, [], [images with predictions at hidden pixels])."""
        _, prediction = self._predict(images, patch_mask, training, seed)
        loss = self._loss(images, patch_mask, prediction)
        pixel_mask = masking.to_pixel_mask(patch_mask, self.backbone.patch_size)
        inpainted = tf.where(
            tf.cast(pixel_mask, tf.bool)[..., tf.newaxis],
            self._to_pixels(images, prediction),
            tf.cast(images, tf.float32),
        )
        return loss, [], [inpainted]

    def _compare(self, images, inpainted):
        """Updates extra metrics."""
        for metric in self.extra_metrics:
            extra_metrics.update(metric, tf.cast(images, tf.float32), inpainted)

    def _draw_mask(self, images, step):
        batch_size = images.shape[0] or tf.shape(images)[0]
        return self.random_mask.of_step(self.seed, step, batch_size)

    def _predict(self, images, patch_mask, training, seed=None):
        features = self.backbone(
            images, patch_mask=patch_mask, training=training, seed=seed
        )
        return features, self.head(features)  # [B, h', w', D], [B, h', w', F]

    def _step_loss(self, images, patch_mask, training, seed=None):
        """Returns the loss, computed at hidden cells alone where it can be."""
        num_hidden = self._num_hidden_cells()
        # XLA has no gradient of the choice below for batches of any size.
        is_any_size = training and self.uses_xla and images.shape[0] is None
        if num_hidden is None or is_any_size:
            return self.full_loss(images, patch_mask, training, seed)
        backbone = self.backbone
        cells, is_hidden, is_complete = masking.hidden_cells(
            patch_mask, backbone.stride // backbone.patch_size, num_hidden
        )
        last_block = None
        if self.head.is_pointwise:
            last_block = backbone.up_to_last_block(
                images, patch_mask, training, seed
            )
        if last_block is None:
            options = {"training": training, "seed": seed}
            if getattr(backbone, "visible_only", False):
                mask = self.random_mask
                options["num_visible"] = mask.num_visible_patches
            x = backbone(images, patch_mask=patch_mask, **options)

        def on_hidden_cells():
            if last_block is None:
                prediction = self.head(x, cells=cells)
            else:
                prediction = self.head(last_block(cells))
            return self._loss(images, is_hidden, prediction, cells)

        def on_all_cells():
            features = x if last_block is None else last_block()
            return self._loss(images, patch_mask, self.head(features))

        # Both are compiled and one is run: elements may bring any mask.
        return tf.cond(is_complete, on_hidden_cells, on_all_cells)

    def full_loss(self, images, patch_mask, training, seed=None):
        """Returns the loss with nothing left out: what the step's must equal.

        Args:
            images: float [B, H, W, C]. Normalised.
            patch_mask: int or bool [B, h, w]. 1 = hidden, 0 = visible.
            training: bool.
            seed: int64 [2] or None. Of drop path, for the global batch.

        Returns:
            float32 [].
        """
        _, prediction = self._predict(images, patch_mask, training, seed)
        return self._loss(images, patch_mask, prediction)

    def _num_hidden_cells(self):
        """Returns n, or None where the squares to hide cut through cells."""
        mask, stride = self.random_mask, self.backbone.stride
        if mask.mask_patch_size % stride:
            return None
        return mask.num_hidden * (mask.mask_patch_size // stride) ** 2

    @tf.autograph.experimental.do_not_convert
    def _loss(self, images, patch_mask, prediction, cells=None):
        """Returns the loss of a prediction, of all cells or of chosen ones.

        Args:
            images: float [B, H, W, C].
            patch_mask: [B, h, w]; or of the cells alone, [B, n].
            prediction: float32 [B, h', w', F]; or [B, n, F].
            cells: int32 [B, n] or None.
        """
        images = tf.cast(images, tf.float32)
        stride = self.backbone.stride
        mean, scale = losses.target_statistics(images, self.target, stride)
        target = (losses.to_patches(images, stride) - mean) / scale
        patch_size = self.backbone.patch_size
        if cells is not None:
            target = cells_lib.take_cells(cells_lib.as_tokens(target), cells)
            patch_size = stride
        return losses.masked_reconstruction_loss(
            target,
            prediction,
            patch_mask,
            patch_size,
            stride,
            self.reconstruction_loss,
        )

    def _to_pixels(self, images, prediction):
        images = tf.cast(images, tf.float32)
        stride = self.backbone.stride
        mean, scale = losses.target_statistics(images, self.target, stride)
        return losses.from_patches(prediction * scale + mean, stride)

    def _unpack(self, data):
        """Returns (images, patch mask or None) of a batch in any form."""
        element = elements.as_element(data)
        images = elements.normalized_images(element, self.normalize)
        return images, element.get("patch_mask")

    def get_config(self):
        return {
            **super().get_config(),
            "backbone": tf.keras.saving.serialize_keras_object(self.backbone),
            "mask_patch_size": self.mask_patch_size,
            "mask_ratio": self.mask_ratio,
            "mask_strategy": self.mask_strategy,
            "target": self.target,
            "reconstruction_loss": self.reconstruction_loss,
            "seed": self.seed,
            "head": self.head_name,
        }


def _require_fit(random_mask, backbone):
    size = backbone.patch_size
    grid_size = tuple(side // size for side in backbone.image_size)
    if (random_mask.patch_size, random_mask.grid_size) != (size, grid_size):
        raise ValueError(
            f"`random_mask` must be for {grid_size[0]} x {grid_size[1]} "
            f"patches of {size} px, as the backbone is. Received one for "
            f"{random_mask.grid_size[0]} x {random_mask.grid_size[1]} patches "
            f"of {random_mask.patch_size} px."
        )
