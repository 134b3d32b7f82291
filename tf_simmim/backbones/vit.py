"""Vision Transformer (ViT) encoder as SimMIM pretrains it.

Dimension key:
  B: batch   H W: image, px   C: channels   P: patch_size, px
  h w: grid = H/P, W/P   N: number of patches = h*w, row-major
  M: number of tokens = N, + 1 with the class token   D: embed_dim
  n: number of chosen cells
"""

import tensorflow as tf

from tf_simmim import randomness
from tf_simmim.backbones import backbone
from tf_simmim.backbones import checks
from tf_simmim.backbones import rematerialization
from tf_simmim.backbones import visible_tokens
from tf_simmim.backbones import vit_layers
from tf_simmim.backbones import vit_plan

ABSOLUTE_POSITIONS = vit_plan.ABSOLUTE_POSITIONS
RELATIVE_POSITIONS = vit_plan.RELATIVE_POSITIONS


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class ViT(backbone.Backbone):
    """Vision Transformer: images to a map of features, with or without a mask.

    With a mask, the embeddings of hidden patches are replaced by one learned
    token before positions are added. The defaults are the reference's choices
    for pretraining: no absolute positions, one relative position bias shared
    by all blocks, LayerScale, biases on queries and values only.

    With `visible_only` the blocks see visible patches alone, and the mask token
    replaces hidden ones after the final norm: MAE's encoder, not SimMIM.

    All weights exist as soon as the object does.

    Args:
        image_size: int or (height, width), px; multiples of `patch_size`.
        patch_size: int, px. 16 in the reference.
        embed_dim: int. Width of the tokens; 768 for ViT-B.
        depth: int. Number of blocks; 12 for ViT-B.
        num_heads: int. Divides `embed_dim`; 12 for ViT-B.
        channels: int. Image channels.
        mlp_ratio: float. Hidden width of the MLPs over `embed_dim`.
        qkv_bias: "query_value" (reference), "query_key_value" or "none".
        absolute_position: "none" (reference), "learned" or "sincos".
        relative_position: "shared" (reference: one table for all blocks),
            "per_block" or "none".
        layer_scale_init: float or None. First LayerScale factor; 0.1 in the
            reference, None for no LayerScale.
        class_token: bool. Whether a class token precedes the patches.
        drop_path_rate: float in [0, 1). Of the last block; the rate grows
            linearly from 0 at the first. 0.1 in the reference's ViT-B recipe.
        epsilon: float. Of every LayerNorm; 1e-6 in the reference.
        rematerialize: bool. In training, keep each block's input alone and
            compute the rest again for the gradient: less memory for more
            time, the same numbers. Not for the last block, whose gradient
            comes first and gains nothing.
        visible_only: bool. With a mask, encode visible patches (and the class
            token) alone. Needs relative_position="none"; MAE's positions are
            "sincos". False in the reference.
        final_norm: bool. Whether a norm follows the last block. The reference
            has none where it fine-tunes: see `models.Classifier`.
        **kwargs: passed to `tf.keras.Model`.

    Call arguments:
        images: float [B, H, W, C]. Normalised.
        patch_mask: int or bool [B, h, w], or None. 1 = hidden, 0 = visible.
        training: bool. Switches drop path on.
        seed: int64 [2] or None. Seed of drop path for the global batch; None
            draws one from TensorFlow's global generator.
        num_visible: int or None. With `visible_only`, the number of patches
            that the mask leaves visible in every image: others cost nothing
            then. None takes any mask, for the work of whole images.

    Returns:
        float [B, h, w, D] in the compute dtype: the patch tokens after the
        final norm (if there is one), without the class token.

    Raises:
        ValueError: a size, ratio or option that cannot work, with the nearest
            sizes that do; or images or a mask of another size.
        tf.errors.InvalidArgumentError: not `num_visible` patches are visible;
            under XLA features are NaN instead.

    Source: Dosovitskiy et al., 2020, https://arxiv.org/abs/2010.11929, as
        changed by Bao et al., BEiT, 2021, https://arxiv.org/abs/2106.08254,
        and used by Xie et al., SimMIM, 2021,
        https://arxiv.org/abs/2111.09886, section 4.1.2. `visible_only`: He et
        al., Masked Autoencoders, 2021, https://arxiv.org/abs/2111.06377,
        section 3. Differs in that the mask token has the encoder's width and
        joins before the head's own embedding.
    """

    # Weights that the reference's optimizer groups exempt from weight decay
    # by name (it also exempts biases and other vectors).
    reference_no_weight_decay = ("class_token", "position_embedding")

    def __init__(
        self,
        image_size,
        patch_size=16,
        embed_dim=768,
        depth=12,
        num_heads=12,
        channels=3,
        mlp_ratio=4.0,
        qkv_bias="query_value",
        absolute_position="none",
        relative_position="shared",
        layer_scale_init=0.1,
        class_token=True,
        drop_path_rate=0.0,
        epsilon=1e-6,
        rematerialize=False,
        visible_only=False,
        final_norm=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self._set_arguments(
            image_size=image_size,
            patch_size=patch_size,
            embed_dim=embed_dim,
            depth=depth,
            num_heads=num_heads,
            channels=channels,
            mlp_ratio=mlp_ratio,
            qkv_bias=qkv_bias,
            absolute_position=absolute_position,
            relative_position=relative_position,
            layer_scale_init=layer_scale_init,
            class_token=class_token,
            drop_path_rate=drop_path_rate,
            epsilon=epsilon,
            rematerialize=rematerialize,
            visible_only=visible_only,
            final_norm=final_norm,
        )
        self.prunes_last_block = not visible_only

        self.num_blocks = depth
        vit_layers.add_layers(self)
        # One forward pass creates every weight under its full name.
        self(
            tf.zeros([1, *self.image_size, channels]),
            patch_mask=tf.zeros([1, *self.grid_size], tf.int32),
        )

    @classmethod
    def _plan(cls, **arguments):
        return vit_plan.plan(**arguments)

    def call(
        self,
        images,
        patch_mask=None,
        training=None,
        seed=None,
        num_visible=None,
    ):
        if self.visible_only and patch_mask is not None:
            tokens = self._encode_visible(
                images, patch_mask, training, seed, num_visible
            )
        else:
            tokens = self._embed(images, patch_mask)
            tokens = self._encode(tokens, training, seed)
        return self._to_feature_map(tokens)  # [B, h, w, D]

    def before_last_block(
        self, images, patch_mask=None, training=None, seed=None
    ):
        """Computes all but the last block; see `backbones`.

        Args:
            images: float [B, H, W, C]. Normalised.
            patch_mask: int or bool [B, h, w], or None. 1 = hidden.
            training: bool.
            seed: int64 [2] or None. As for a call.

        Returns:
            float [B, M, D], for `last_block`.

        Raises:
            ValueError: a mask with `visible_only`.
        """
        if self.visible_only and patch_mask is not None:
            raise ValueError(
                "`patch_mask` must be None here with `visible_only`, which "
                f"prunes no block. Received shape: {patch_mask.shape}."
            )
        tokens = self._embed(images, patch_mask)
        biases = self._position_biases(tokens)
        for i in range(self.depth - 1):
            tokens = self._run_block(i, tokens, biases[i], training, seed)
        return tokens

    def last_block(self, tokens, cells=None, training=None, seed=None):
        """Computes the last block and the final norm, at chosen cells alone.

        Args:
            tokens: float [B, M, D], from `before_last_block`.
            cells: int32 [B, n], row-major numbers of patches; None for all.
            training: bool.
            seed: int64 [2] or None. As for `before_last_block`.

        Returns:
            float [B, n, D], equal to the features of a call at these cells;
            or all of them, [B, h, w, D].
        """
        biases, queries = self._position_biases(tokens), cells
        if cells is not None and self.class_token:
            queries = cells + 1
        tokens = self._run_block(
            self.depth - 1, tokens, biases[-1], training, seed, queries
        )
        tokens = self.norm(tokens)
        return tokens if cells is not None else self._to_feature_map(tokens)

    def pyramid(self, images, training=False, seed=None):
        """Returns {stride in px: feature map}; a ViT has one stride only.

        The arguments are those of a call.

        Returns:
            {patch_size: float [B, h, w, D]}, after the final norm.
        """
        return {self.stride: self(images, training=training, seed=seed)}

    def block_features(self, images, blocks):
        """Returns what chosen blocks make of whole images, for probing.

        SimMIM's best frozen features lie in the middle of the network.

        Args:
            images: float [B, H, W, C]. Normalised.
            blocks: sequence of int in [0, depth). Which blocks.

        Returns:
            list of float [B, h, w, D], one per entry of `blocks`: the output
            of the block; for the last block after the final norm, so that it
            equals `backbone(images)`.

        Raises:
            ValueError: a number is not in [0, depth).
        """
        checks.require_blocks(blocks, self.depth)
        tokens = self._embed(images, patch_mask=None)
        outputs = list(self._block_outputs(tokens, training=False, seed=None))
        outputs[-1] = self.norm(outputs[-1])
        return [self._to_feature_map(outputs[block]) for block in blocks]

    def layer_id(self, variable):
        """Returns the depth of a variable, for layer-wise learning rates.

        Args:
            variable: tf.Variable of this backbone.

        Returns:
            int: 0 for embeddings and tokens, i + 1 for block i, depth + 1 for
            the final norm and a shared relative position bias (as in the
            reference).

        Raises:
            ValueError: the variable is not one of this backbone.
        """
        return checks.find_layer_id(vit_layers.by_depth(self), variable)

    # AutoGraph has nothing to convert here, and takes its time for it.
    @tf.autograph.experimental.do_not_convert
    def _embed(self, images, patch_mask):
        checks.require_images(images, self.image_size, self.channels)
        tokens = self.patch_embedding(images)  # [B, N, D]
        if patch_mask is not None:
            checks.require_mask(patch_mask, self.grid_size)
            flat_mask = tf.reshape(patch_mask, [-1, tokens.shape[1]])  # [B, N]
            tokens = self.mask_token(tokens, patch_mask=flat_mask)

        # Learned positions cover the class token as well; fixed ones do not.
        if self.absolute_position == "sincos":
            tokens = self.position_embedding(tokens)
        if self.class_token:
            tokens = self.class_token_layer(tokens)  # [B, M, D]
        if self.absolute_position == "learned":
            tokens = self.position_embedding(tokens)
        return tokens

    def _encode_visible(self, images, patch_mask, training, seed, num_visible):
        """Returns [B, M, D]: features of visible tokens, else mask tokens."""
        checks.require_mask(patch_mask, self.grid_size)
        tokens = self._embed(images, patch_mask=None)
        hidden = visible_tokens.hidden_tokens(patch_mask, self.class_token)
        if num_visible is not None:
            num_visible += self.class_token

        def encoder(tokens, hidden):
            return self._encode(tokens, training, seed, hidden)

        tokens = visible_tokens.encode(encoder, tokens, hidden, num_visible)
        return self.mask_token(tokens, patch_mask=hidden)

    def _encode(self, tokens, training, seed, hidden=None):
        *_, tokens = self._block_outputs(tokens, training, seed, hidden)
        return self.norm(tokens)  # [B, M, D]

    def _block_outputs(self, tokens, training, seed, hidden=None):
        biases = self._position_biases(tokens)
        for i in range(self.depth):
            tokens = self._run_block(
                i, tokens, biases[i], training, seed, hidden=hidden
            )
            yield tokens

    def _position_biases(self, tokens):
        """Returns a bias, or None, for each block."""
        biases = [bias(tokens) for bias in self.relative_position_biases]
        if self.relative_position != "per_block":
            biases = (biases or [None]) * self.depth
        return biases

    @tf.autograph.experimental.do_not_convert
    def _run_block(
        self, i, tokens, bias, training, seed, queries=None, hidden=None
    ):
        block = self.blocks[i]
        if seed is not None:
            seed = randomness.fold_in(seed, i)
        if self.rematerialize and training and i < self.depth - 1:
            inputs = [tokens] if bias is None else [tokens, bias]
            return rematerialization.run(
                block, *inputs, seed=seed, training=True, hidden_tokens=hidden
            )
        return block(
            tokens,
            position_bias=bias,
            seed=seed,
            training=training,
            queries=queries,
            hidden_tokens=hidden,
        )

    def _to_feature_map(self, tokens):
        if self.class_token:
            tokens = tokens[:, 1:]  # [B, N, D]
        return tf.reshape(tokens, [-1, *self.grid_size, self.embed_dim])
