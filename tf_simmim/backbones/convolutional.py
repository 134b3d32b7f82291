"""Convolutional encoders from Keras: ConvNeXt and ResNet.

Dimension key:
  B: batch   H W: image, px   C: channels   P: patch_size, px: the stem's
  stride   h w: grid = H/P, W/P   D: width of the stem
  S: stride of the last block, px   h' w': its map = H/S, W/S
"""

import tensorflow as tf

from tf_simmim import layers
from tf_simmim import masking as masking_lib
from tf_simmim import randomness
from tf_simmim import sizes
from tf_simmim.backbones import backbone
from tf_simmim.backbones import block_plan
from tf_simmim.backbones import checks
from tf_simmim.backbones import extractors
from tf_simmim.backbones import layer_graph
from tf_simmim.backbones import network_plan
from tf_simmim.backbones import residual_block

MASKINGS = ("color", "stem_token")


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class Convolutional(backbone.Backbone):
    """A convolutional network of Keras, without its head, with a mask.

    The layers are those of `tf.keras.applications` (ConvNeXt, ResNet 50 and
    101) and `keras_cv` (ResNet 18 and 34), created anew with fresh weights:
    nothing is downloaded. Images are taken as they come, that is, normalised
    by the data pipeline; the networks' own rescaling is left out.

    What it changes in them, see also `layer_graph.LayerGraph`: batch
    normalisation has the statistics of the whole global batch; drop path is
    ours, a function of a seed, and there is one in every residual block,
    where Keras offers none for these presets; precision is this model's.

    Masks are given on a grid of 4 px, the stem's stride, so that mask patches
    of 32 px are also cells of the last map (stride 32).

    All weights exist as soon as the object does.

    Args:
        image_size: int or (height, width), px; multiples of the stride: 32 px
            with all four stages.
        extractor: str, one of `extractors.EXTRACTORS`.
        masking: what stands in for hidden patches.
            "color": a learned colour, in place of their pixels.
            "stem_token": a learned token, in place of the cells of the stem's
            output. Their pixels become 0, the mean colour, for the stem of a
            ResNet looks beyond the patch.
        depths: sequence of int, or None for the extractor's own. Blocks of
            each stage, at most the extractor's. Leaving stages out leaves a
            smaller stride: (3, 3, 9) of "convnext_tiny" ends at 16 px, for
            small images.
        widths: sequence of int, one a stage, or None for the extractor's own.
            Features that each stage gives; its inner layers and the stem (with
            the first stage) follow in proportion.
        channels: int. Image channels.
        drop_path_rate: float in [0, 1). Of the last block; the rate grows
            linearly from 0 at the first.
        **kwargs: passed to `tf.keras.Model`.

    Call arguments:
        images: float [B, H, W, C]. Normalised.
        patch_mask: int or bool [B, h, w], or None. 1 = hidden, 0 = visible.
        training: bool. Switches drop path on, and batch statistics.
        seed: int64 [2] or None. Seed of drop path for the global batch; None
            draws one from TensorFlow's global generator.

    Returns:
        float [B, h', w', num_features] in the compute dtype: the last block
        after the norm that the network ends with, if it has one (ConvNeXt:
        layer norm, ResNet version 2: batch norm and ReLU, version 1: none).

    Raises:
        ValueError: a size, rate or option that cannot work, with the nearest
            sizes that do; or images or a mask of another size.

    State: ResNets have moving statistics. In pretraining they are those of
        masked images, while features are mostly taken of whole ones.

    Source: Liu et al., A ConvNet for the 2020s, 2022,
        https://arxiv.org/abs/2201.03545; He et al., Deep Residual Learning,
        2015, https://arxiv.org/abs/1512.03385, and Identity Mappings, 2016,
        https://arxiv.org/abs/1603.05027. "stem_token" after Li et al.,
        Architecture-Agnostic Masked Image Modeling (A2MIM), 2022,
        https://arxiv.org/abs/2205.13943, section 4.2: differs in that the
        mean colour is that of the data set, not of the image; that the token
        comes after the stem, not after a later stage; and in replacing what
        it stands on, not being added to it. A2MIM's loss in the frequency
        domain is not used.
    """

    # Weights that the reference's optimizer groups exempt from weight decay
    # by name (it also exempts biases and other vectors).
    reference_no_weight_decay = ("mask_token",)

    def __init__(
        self,
        image_size,
        extractor="convnext_tiny",
        masking="color",
        depths=None,
        widths=None,
        channels=3,
        drop_path_rate=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self._set_arguments(
            image_size=image_size,
            extractor=extractor,
            masking=masking,
            depths=depths,
            widths=widths,
            channels=channels,
            drop_path_rate=drop_path_rate,
        )
        network = network_plan.plan(extractor, depths, widths, channels)
        self.depths = network.depths
        self.widths = network.widths
        self.patch_size = network.strides[0]
        self.num_blocks = sum(network.depths)
        self.block_strides = network.strides[1:]
        self._create_layers(network)
        # One forward pass creates every weight under its full name.
        self(
            tf.zeros([1, *self.image_size, channels]),
            patch_mask=tf.zeros([1, *self.grid_size], tf.int32),
        )

    @classmethod
    def _plan(
        cls,
        image_size,
        extractor,
        masking,
        depths,
        widths,
        channels,
        drop_path_rate,
    ):
        checks.require_one_of("extractor", extractor, extractors.EXTRACTORS)
        checks.require_one_of("masking", masking, MASKINGS)
        checks.require_positive(channels=channels)
        checks.require_drop_path_rate(drop_path_rate)
        image_size = sizes.as_pair(image_size, "image_size")
        network = network_plan.plan(extractor, depths, widths, channels)
        stride, patch_size = network.stride, network.strides[0]
        sizes.require_multiple(image_size, "image_size", stride, "stride")
        stand_in = block_plan.Part("mask_color", channels)
        if masking == "stem_token":
            stand_in = block_plan.Part("mask_token", network.stem_width)
        return block_plan.BlockPlan(
            parts=(stand_in, *network.parts(image_size)),
            shapes=(),
            image_size=image_size,
            channels=channels,
            grid_size=tuple(side // patch_size for side in image_size),
            attended=0,
            stride=stride,
            num_features=network.widths[-1],
        )

    def _create_layers(self, plan):
        policy = self.dtype_policy
        self.stem = layer_graph.LayerGraph(plan.stem, dtype=policy, name="stem")
        if self.masking == "color":
            self.mask_color = layers.MaskColor(dtype=policy, name="mask_color")
        else:
            self.mask_token = layers.MaskToken(dtype=policy, name="mask_token")
        self.blocks = [
            residual_block.ResidualBlock(
                block,
                drop_path=self.drop_path_rate
                * number
                / max(self.num_blocks - 1, 1),
                dtype=policy,
                name=name,
            )
            for number, (name, block) in enumerate(plan.blocks.items())
        ]
        self.norm = layer_graph.LayerGraph(plan.norm, dtype=policy, name="norm")

    def call(self, images, patch_mask=None, training=None, seed=None):
        *_, (x, _) = self._states(images, patch_mask, training, seed)
        return self._features(x, training)  # [B, h', w', num_features]

    def pyramid(self, images, training=False, seed=None):
        """Returns {stride in px: feature map} of all strides.

        The arguments are those of a call.

        Returns:
            {stride: float [B, H/stride, W/stride, width]}, finest first: what
            the last block of each stride gives, the last of all after the
            final norm.
        """
        states = self._states(images, None, training, seed)
        outputs = [x for x, _ in states]
        maps = dict(zip(self.block_strides, outputs, strict=True))
        maps[self.stride] = self._features(maps[self.stride], training)
        return maps

    def layer_id(self, variable):
        """Returns the depth of a variable, for layer-wise learning rates.

        Args:
            variable: tf.Variable of this backbone.

        Returns:
            int: 0 for the stem and what stands in for hidden patches, i + 1
            for block i (counted through all stages, with the downsampling
            before it), num_blocks + 1 for the final norm.

        Raises:
            ValueError: the variable is not one of this backbone.
        """
        by_color = self.masking == "color"
        stand_in = self.mask_color if by_color else self.mask_token
        groups = [(0, self.stem), (0, stand_in)]
        groups += [(i + 1, block) for i, block in enumerate(self.blocks)]
        groups.append((self.num_blocks + 1, self.norm))
        return checks.find_layer_id(groups, variable)

    def _states(self, images, patch_mask, training, seed, taps=None):
        x = self._embed(images, patch_mask, training)
        for i, block in enumerate(self.blocks):
            block_seed = None if seed is None else randomness.fold_in(seed, i)
            x = block(x, seed=block_seed, training=training)
            yield x, {}

    def _embed(self, images, patch_mask, training):
        checks.require_images(images, self.image_size, self.channels)
        if patch_mask is None:
            return self.stem(images, training=training)[0]
        checks.require_mask(patch_mask, self.grid_size)
        pixel_mask = masking_lib.to_pixel_mask(patch_mask, self.patch_size)
        if self.masking == "color":
            images = self.mask_color(images, pixel_mask=pixel_mask)
            return self.stem(images, training=training)[0]
        hidden = tf.cast(pixel_mask, tf.bool)[..., tf.newaxis]
        images = tf.where(hidden, tf.zeros_like(images), images)
        x = self.stem(images, training=training)[0]  # [B, h, w, D]
        num_patches = self.grid_size[0] * self.grid_size[1]
        x = self.mask_token(
            tf.reshape(x, [-1, num_patches, x.shape[-1]]),
            patch_mask=tf.reshape(patch_mask, [-1, num_patches]),
        )
        return tf.reshape(x, [-1, *self.grid_size, x.shape[-1]])

    def _features(self, state, training):
        return self.norm(state, training=training)[0]
