"""Swin Transformer encoder as SimMIM pretrains it.

Dimension key:
  B: batch   H W: image, px   C: channels   P: patch_size, px
  h w: grid = H/P, W/P   D: embed_dim, the width of the first stage
  s: stage, from 0: its map is h/2^s x w/2^s cells of width 2^s * D
  S: stride of the last stage, px   h' w': its map = H/S, W/S
  n: number of chosen cells
"""

import tensorflow as tf

from tf_simmim import layers
from tf_simmim import randomness
from tf_simmim import sizes
from tf_simmim.backbones import backbone
from tf_simmim.backbones import checks
from tf_simmim.backbones import rematerialization
from tf_simmim.backbones import swin_plan
from tf_simmim.layers import transformer_block

_BLOCKS = {1: layers.SwinBlock, 2: layers.SwinV2Block}


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class Swin(backbone.Backbone):
    """Swin Transformer: a pyramid of maps, attention inside shifted windows.

    With a mask, the embeddings of hidden patches are replaced by one learned
    token after the patch norm; the network is otherwise dense. Defaults are
    those of the reference's Swin-B.

    Version 2 has norms after its branches, cosine attention and a continuous
    position bias, see `layers.SwinV2Block`: made for large models, and for
    another window after pretraining.

    All weights exist as soon as the object does.

    Args:
        image_size: int or (height, width), px; multiples of the stride,
            `patch_size * 2 ** (len(depths) - 1)`: 32 px. Windows need not
            divide the maps; where they do not, maps are padded and the
            padding is never attended to.
        patch_size: int, px. 4 in the reference.
        embed_dim: int. Width of the first stage; 128 for Swin-B.
        depths: sequence of int. Blocks of each stage; (2, 2, 18, 2) for
            Swin-B.
        num_heads: sequence of int, one a stage; each divides the stage's
            width. (4, 8, 16, 32) for Swin-B.
        window_size: int or (height, width), cells. 6 at 192 px, 7 at 224 px.
        channels: int. Image channels.
        mlp_ratio: float. Hidden width of the MLPs over that of the stage.
        version: 1 or 2.
        qkv_bias: "query_key_value", "query_value" or "none". Default: the
            reference's, which is the first in version 1, the second in 2.
        drop_path_rate: float in [0, 1). Of the last block; the rate grows
            linearly from 0 at the first. 0 in the reference's pretraining.
        epsilon: float. Of every LayerNorm; 1e-5 in the reference.
        rematerialize: bool. In training, keep each block's input alone and
            compute the rest again for the gradient: less memory for more
            time, the same numbers. Not for the last block, whose gradient
            comes first and gains nothing.
        key_dims: int, the width of one head's queries and keys in every block,
            or a flat list with one for each block of all stages; or None for
            the stage's width / `num_heads`, as in the reference.
        value_dims: int or list likewise, that of one head's values.
        mlp_dims: int or list likewise, the hidden width of the MLPs; or None
            for `mlp_ratio` times the stage's width.
        **kwargs: passed to `tf.keras.Model`.

    Call arguments:
        images: float [B, H, W, C]. Normalised.
        patch_mask: int or bool [B, h, w], or None. 1 = hidden, 0 = visible.
        training: bool. Switches drop path on.
        seed: int64 [2] or None. Seed of drop path for the global batch; None
            draws one from TensorFlow's global generator.

    Returns:
        float [B, h', w', num_features] in the compute dtype: the last stage
        after the final norm.

    Raises:
        ValueError: a size, ratio or option that cannot work, with the nearest
            sizes that do; or images or a mask of another size.

    Source: Liu et al., Swin Transformer, 2021,
        https://arxiv.org/abs/2103.14030, and Swin Transformer V2, 2021,
        https://arxiv.org/abs/2111.09883, as used by Xie et al., SimMIM, 2021,
        https://arxiv.org/abs/2111.09886, section 4.1.1. Differs from the
        reference in the patch embedding's bias, which begins at zero.
    """

    # Weights that the reference's optimizer groups exempt from weight decay
    # by name (it also exempts biases and other vectors).
    reference_no_weight_decay = ("mask_token",)
    block_taps = transformer_block.TAPS
    # In fine-tuning it looks for these names as well, and finds them.
    reference_no_weight_decay_when_classifying = (
        *reference_no_weight_decay,
        "relative_position_bias_table",
        "logit_scale",
        "position_hidden_kernel",
        "position_output_kernel",
    )

    def __init__(
        self,
        image_size,
        patch_size=4,
        embed_dim=128,
        depths=(2, 2, 18, 2),
        num_heads=(4, 8, 16, 32),
        window_size=7,
        channels=3,
        mlp_ratio=4.0,
        version=1,
        qkv_bias=None,
        drop_path_rate=0.0,
        epsilon=1e-5,
        rematerialize=False,
        key_dims=None,
        value_dims=None,
        mlp_dims=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        plan = self._set_arguments(
            image_size=image_size,
            patch_size=patch_size,
            embed_dim=embed_dim,
            depths=depths,
            num_heads=num_heads,
            window_size=window_size,
            channels=channels,
            mlp_ratio=mlp_ratio,
            version=version,
            qkv_bias=qkv_bias,
            drop_path_rate=drop_path_rate,
            epsilon=epsilon,
            rematerialize=rematerialize,
            key_dims=key_dims,
            value_dims=value_dims,
            mlp_dims=mlp_dims,
        )
        self.window_size = sizes.as_pair(window_size, "window_size")
        self.qkv_bias = qkv_bias or swin_plan.QKV_BIASES[version]
        self.num_blocks = sum(depths)
        self._places = tuple(
            (stage, place)
            for stage, depth in enumerate(depths)
            for place in range(depth)
        )
        self._create_layers(plan.shapes)
        # One forward pass creates every weight under its full name.
        self(
            tf.zeros([1, *self.image_size, channels]),
            patch_mask=tf.zeros([1, *self.grid_size], tf.int32),
        )

    def _create_layers(self, shapes):
        policy = self.dtype_policy
        self.patch_embedding = layers.PatchEmbedding(
            self.patch_size,
            self.embed_dim,
            kernel_initializer=layers.FanInUniform(),
            dtype=policy,
            name="patch_embedding",
        )
        self.patch_norm = self._norm("patch_norm")
        self.mask_token = layers.MaskToken(dtype=policy, name="mask_token")
        numbered = iter(enumerate(shapes))
        self.stages = [
            [self._block(stage, i, *next(numbered)) for i in range(depth)]
            for stage, depth in enumerate(self.depths)
        ]
        self.mergings = [
            layers.PatchMerging(
                self.epsilon,
                norm_last=self.version == 2,
                dtype=policy,
                name=f"patch_merging_{stage}",
            )
            for stage in range(len(self.depths) - 1)
        ]
        self.norm = self._norm("norm")

    def _block(self, stage, place, number, shape):
        return _BLOCKS[self.version](
            shape.num_heads,
            window_size=self.window_size,
            shifted=place % 2 == 1,
            mlp_ratio=self.mlp_ratio,
            qkv_bias=self.qkv_bias,
            drop_path=self.drop_path_rate
            * number
            / max(self.num_blocks - 1, 1),
            epsilon=self.epsilon,
            key_dim=shape.key_dim,
            value_dim=shape.value_dim,
            mlp_dim=shape.mlp_dim,
            dtype=self.dtype_policy,
            name=f"stage_{stage}_block_{place}",
        )

    def _norm(self, name):
        return tf.keras.layers.LayerNormalization(
            epsilon=self.epsilon, dtype=self.dtype_policy, name=name
        )

    @classmethod
    def _plan(cls, **arguments):
        return swin_plan.plan(**arguments)

    def call(self, images, patch_mask=None, training=None, seed=None):
        *_, (feature_map, _) = self._states(images, patch_mask, training, seed)
        return self.norm(feature_map)  # [B, h', w', num_features]

    def up_to_last_block(
        self, images, patch_mask=None, training=None, seed=None
    ):
        """See `Backbone`; a function where the last map is one window."""
        last = self.num_blocks - 1
        if not self.stages[-1][-1].covers_map:
            return None
        x = self._embed(images, patch_mask)
        for number in range(last):
            x = self._run_block(number, x, training, seed)

        def last_block(cells=None):
            y = self._run_block(last, x, training, seed, queries=cells)
            y = self.norm(y)
            return y if cells is None else y[:, 0]  # [B, n, num_features]

        return last_block

    def pyramid(self, images, training=False, seed=None):
        """Returns {stride in px: feature map} of all stages.

        The arguments are those of a call.

        Returns:
            {P * 2^s: float [B, h/2^s, w/2^s, 2^s * D]}, finest first: what
            the last block of each stage gives, the last stage after the final
            norm.
        """
        maps = {}
        states = self._states(images, None, training, seed)
        for (stage, _), (x, _) in zip(self._places, states, strict=True):
            maps[self.patch_size * 2**stage] = x
        maps[self.stride] = self.norm(maps[self.stride])
        return maps

    def layer_id(self, variable):
        """Returns the depth of a variable, for layer-wise learning rates.

        Args:
            variable: tf.Variable of this backbone.

        Returns:
            int: 0 for patch embedding and mask token, i + 1 for block i
            (counted through all stages), that of the block before it for a
            patch merging, num_blocks + 1 for the final norm (as in the
            reference).

        Raises:
            ValueError: the variable is not one of this backbone.
        """
        groups = [
            (0, self.patch_embedding),
            (0, self.patch_norm),
            (0, self.mask_token),
            (self.num_blocks + 1, self.norm),
        ]
        number = 0
        for stage, blocks in enumerate(self.stages):
            for block in blocks:
                number += 1
                groups.append((number, block))
            if stage < len(self.mergings):
                groups.append((number, self.mergings[stage]))
        return checks.find_layer_id(groups, variable)

    def _states(self, images, patch_mask, training, seed, taps=None):
        x = self._embed(images, patch_mask)
        for number in range(self.num_blocks):
            words = (taps or {}).get(number, ())
            x, tapped = self._run_block(number, x, training, seed, taps=words)
            yield x, tapped

    def _features(self, state, training):
        return self.norm(state)

    # AutoGraph has nothing to convert here, and takes its time for it.
    @tf.autograph.experimental.do_not_convert
    def _run_block(self, number, x, training, seed, *, queries=None, taps=None):
        """Runs a block, after the merging that its stage may begin with.

        Returns what it gives; with `taps`, also {word: tensor}.
        """
        stage, place = self._places[number]
        if stage and not place:
            x = self.mergings[stage - 1](x)
        block = self.stages[stage][place]
        if seed is not None:
            seed = randomness.fold_in(seed, number)
        options = {"taps": taps} if taps else {}
        if self.rematerialize and training and number < self.num_blocks - 1:
            result = rematerialization.run(
                block, x, seed=seed, training=True, **options
            )
        else:
            result = block(
                x, seed=seed, training=training, queries=queries, **options
            )
        return (result, {}) if taps == () else result

    @tf.autograph.experimental.do_not_convert
    def _embed(self, images, patch_mask):
        checks.require_images(images, self.image_size, self.channels)
        tokens = self.patch_norm(self.patch_embedding(images))  # [B, N, D]
        if patch_mask is not None:
            checks.require_mask(patch_mask, self.grid_size)
            flat_mask = tf.reshape(patch_mask, [-1, tokens.shape[1]])  # [B, N]
            tokens = self.mask_token(tokens, patch_mask=flat_mask)
        return tf.reshape(tokens, [-1, *self.grid_size, self.embed_dim])
