"""Vision Transformer (ViT) encoder as SimMIM pretrains it.

Dimension key:
  B: batch   H W: image, px   C: channels   P: patch_size, px
  h w: grid = H/P, W/P   N: number of patches = h*w, row-major
  M: number of tokens = N, + 1 with the class token, + register tokens
  D: embed_dim   n: number of chosen cells
"""

import tensorflow as tf

from tf_simmim import randomness
from tf_simmim.backbones import backbone
from tf_simmim.backbones import checks
from tf_simmim.backbones import rematerialization
from tf_simmim.backbones import visible_tokens
from tf_simmim.backbones import vit_layers
from tf_simmim.backbones import vit_plan
from tf_simmim.layers import token_merging
from tf_simmim.layers import transformer_block

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

    Blocks may differ: what is said to be "for each block" is one value for all,
    or a flat list or tuple with one for each.

    All weights exist as soon as the object does.

    Args:
        image_size: int or (height, width), px; multiples of `patch_size`.
        patch_size: int, px. 16 in the reference.
        embed_dim: int. Width of the tokens; 768 for ViT-B.
        depth: int. Number of blocks; 12 for ViT-B.
        num_heads: int for each block; 12 for ViT-B. Divides `embed_dim` where
            a width of heads follows from it. With relative_position="shared",
            the same for all: a table has a column for every head.
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
        key_dims: int for each block, the width of one head's queries and
            keys; or None for `embed_dim / num_heads`, as in the reference.
        value_dims: int for each block, that of one head's values; likewise.
        mlp_dims: int for each block, the hidden width of the MLP; or None for
            `mlp_ratio * embed_dim`.
        attention: str for each block, a key of
            `layers.transformer_block.ATTENTIONS`; "softmax" in the reference.
        register_tokens: int. Learned tokens behind the class token, without a
            position, that features leave out; 0 in the reference, 4 in their
            paper.
        reduce_tokens: int for every block but the last, or one for each. How
            many patch tokens to merge away behind it, each into one that is
            alike; at most half of what is left. Feature maps are whole: cells
            that are one token show the same. 0 in the reference. Needs
            relative_position="none" (what is merged has no place of its own),
            not `visible_only`.
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
        final norm (if there is one), without class and register tokens.

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
        joins before the head's own embedding. `register_tokens`: Darcet et
        al., 2023, https://arxiv.org/abs/2309.16588. `reduce_tokens`: Bolya et
        al., 2022, https://arxiv.org/abs/2210.09461; see
        `layers.token_merging`.
    """

    # Weights that the reference's optimizer groups exempt from weight decay
    # by name (it also exempts biases and other vectors).
    reference_no_weight_decay = (
        "class_token",
        "position_embedding",
        "register_tokens",
    )
    block_taps = transformer_block.TAPS

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
        key_dims=None,
        value_dims=None,
        mlp_dims=None,
        attention="softmax",
        register_tokens=0,
        reduce_tokens=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        plan = self._set_arguments(
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
            key_dims=key_dims,
            value_dims=value_dims,
            mlp_dims=mlp_dims,
            attention=attention,
            register_tokens=register_tokens,
            reduce_tokens=reduce_tokens,
        )
        self.num_blocks = depth
        # Tokens in front of the patches.
        self.num_first = bool(class_token) + register_tokens
        self._num_merged = vit_plan.merged_per_block(reduce_tokens, depth)
        vit_layers.add_layers(self, plan.shapes)
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
            return self._to_feature_map(tokens)  # [B, h, w, D]
        states = self._states(images, patch_mask, training, seed)
        *_, (state, _) = states
        return self._features(state, training)  # [B, h, w, D]

    def up_to_last_block(
        self, images, patch_mask=None, training=None, seed=None
    ):
        """See `Backbone`."""
        if self.visible_only or any(self._num_merged):
            return None
        tokens = self._embed(images, patch_mask)
        biases = self._position_biases(tokens)
        for i in range(self.depth - 1):
            tokens = self._run_block(i, tokens, biases[i], training, seed)

        def last_block(cells=None):
            bias = self._position_biases(tokens)[-1]
            queries = cells
            if cells is not None and self.num_first:
                queries = cells + self.num_first
            x = self._run_block(
                self.depth - 1, tokens, bias, training, seed, queries=queries
            )
            x = self.norm(x)
            return x if cells is not None else self._to_feature_map(x)

        return last_block

    def pyramid(self, images, training=False, seed=None):
        """Returns {stride in px: feature map}; a ViT has one stride only.

        The arguments are those of a call.

        Returns:
            {patch_size: float [B, h, w, D]}, after the final norm.
        """
        return {self.stride: self(images, training=training, seed=seed)}

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
        if self.register_tokens:
            tokens = self.register_tokens_layer(tokens)
        return tokens

    def _encode_visible(self, images, patch_mask, training, seed, num_visible):
        """Returns [B, M, D]: features of visible tokens, else mask tokens."""
        checks.require_mask(patch_mask, self.grid_size)
        tokens = self._embed(images, patch_mask=None)
        hidden = visible_tokens.hidden_tokens(patch_mask, self.num_first)
        if num_visible is not None:
            num_visible += self.num_first

        def encoder(tokens, hidden):
            *_, (state, _) = self._run_blocks(tokens, training, seed, hidden)
            return self.norm(state.tokens)

        tokens = visible_tokens.encode(encoder, tokens, hidden, num_visible)
        return self.mask_token(tokens, patch_mask=hidden)

    def _states(self, images, patch_mask, training, seed, taps=None):
        if self.visible_only and patch_mask is not None:
            raise ValueError(
                "`patch_mask` must be None with `visible_only`, whose blocks "
                "see other tokens for every mask. "
                f"Received shape: {patch_mask.shape}."
            )
        tokens = self._embed(images, patch_mask)
        return self._run_blocks(tokens, training, seed, taps=taps)

    def _run_blocks(self, tokens, training, seed, hidden=None, taps=None):
        """Yields (`token_merging.Tokens`, {word: tensor}) of each block."""
        biases = self._position_biases(tokens)
        state = token_merging.Tokens(tokens)
        for i, num_merged in enumerate(self._num_merged):
            words = (taps or {}).get(i, ())
            needed = words
            if num_merged and "keys" not in words:
                needed = (*words, "keys")
            tokens, tapped = self._run_block(
                i,
                state.tokens,
                biases[i],
                training,
                seed,
                hidden=hidden,
                sizes=state.sizes,
                taps=needed,
            )
            state = state._replace(tokens=tokens)
            if num_merged:
                keys = tf.reduce_mean(tapped["keys"], axis=1)  # [B, M, E]
                state = token_merging.merge(
                    state, keys, num_merged, self.num_first
                )
            yield state, {word: tapped[word] for word in words}

    def _output(self, state):
        return state.tokens

    def _map(self, state):
        tokens = token_merging.unmerge(state.tokens, state.places)
        return self._to_feature_map(tokens)

    def _features(self, state, training):
        return self._map(state._replace(tokens=self.norm(state.tokens)))

    def _position_biases(self, tokens):
        """Returns a bias, or None, for each block."""
        biases = [bias(tokens) for bias in self.relative_position_biases]
        if self.relative_position != "per_block":
            biases = (biases or [None]) * self.depth
        return biases

    @tf.autograph.experimental.do_not_convert
    def _run_block(
        self,
        i,
        tokens,
        bias,
        training,
        seed,
        *,
        queries=None,
        hidden=None,
        sizes=None,
        taps=None,
    ):
        """Returns what a block gives; with `taps`, also {word: tensor}."""
        block = self.blocks[i]
        options = {"hidden_tokens": hidden, "token_sizes": sizes}
        if taps:
            options["taps"] = taps
        if seed is not None:
            seed = randomness.fold_in(seed, i)
        if self.rematerialize and training and i < self.depth - 1:
            inputs = [tokens] if bias is None else [tokens, bias]
            result = rematerialization.run(
                block, *inputs, seed=seed, training=True, **options
            )
        else:
            result = block(
                tokens,
                position_bias=bias,
                seed=seed,
                training=training,
                queries=queries,
                **options,
            )
        return (result, {}) if taps == () else result

    def _to_feature_map(self, tokens):
        if self.num_first:
            tokens = tokens[:, self.num_first :]  # [B, N, D]
        return tf.reshape(tokens, [-1, *self.grid_size, self.embed_dim])
