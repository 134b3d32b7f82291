"""Token merging (ToMe): tokens that are alike become one, and come back.

Dimension key:
  B: batch   M: number of tokens   D: embed_dim   E: width of the metric
  F: tokens in front that are never merged   r: tokens to merge away
  a, b: tokens of the two sides of the matching   N: tokens at the beginning
"""

from typing import NamedTuple

import tensorflow as tf


class Tokens(NamedTuple):
    """Tokens, some of which may stand for several.

    Attributes:
        tokens: float [B, M, D].
        sizes: float32 [B, M], how many tokens each one is the mean of; None
            where each is itself.
        places: int32 [B, N], the number of the token that each one of the
            beginning went into; None likewise.
    """

    tokens: tf.Tensor
    sizes: tf.Tensor | None = None
    places: tf.Tensor | None = None


def merge(state: Tokens, metric, num_merged: int, num_first: int) -> Tokens:
    """Merges the `num_merged` tokens that are most alike another into it.

    Tokens are split in turns into two sides, a and b. Each of side a has a
    most similar partner on side b, by the cosine of `metric`; the r tokens
    with the highest become a mean with theirs, weighted by how many tokens
    each one stands for:

        y = sum_i s_i x_i / sum_i s_i

    The matching has no gradient; the mean has. Shapes do not depend on what is
    merged.

    Args:
        state: Tokens.
        metric: float [B, M, E]. What is compared; the mean of the keys of all
            heads in the paper.
        num_merged: int in [1, (M - F) / 2], r.
        num_first: int >= 0, F. Tokens in front that stay as they are.

    Returns:
        Tokens, M - r of them: those in front, what is left of side a, then
        side b, each in its order.

    Source: Bolya et al., Token Merging: Your ViT But Faster, 2022,
        https://arxiv.org/abs/2210.09461, section 3. Differs in that it comes
        after a block, not between its attention and its MLP.
    """
    tokens, sizes, places = state
    num_tokens = tokens.shape[1]
    if sizes is None:
        sizes = tf.ones_like(tokens[:, :, 0], tf.float32)
        places = tf.zeros_like(sizes, tf.int32) + tf.range(num_tokens)
    metric = tf.stop_gradient(tf.cast(metric, tf.float32))
    metric = tf.math.l2_normalize(metric[:, num_first:], axis=-1)
    scores = tf.matmul(metric[:, ::2], metric[:, 1::2], transpose_b=True)
    partners = tf.argmax(scores, axis=-1, output_type=tf.int32)  # [B, a]
    best = tf.reduce_max(scores, axis=-1)
    num_a, num_b = scores.shape[1:]
    # Of equal numbers, the first in order comes first.
    order = tf.math.top_k(best, num_a).indices  # [B, a]
    merged, kept = order[:, :num_merged], tf.sort(order[:, num_merged:])
    into = tf.gather(partners, merged, batch_dims=1)  # [B, r]

    def side(x, first):
        return x[:, num_first + first :: 2]

    def joined(x):
        """Adds what is merged to its partners: [B, M, C] -> [B, M - r, C]."""
        of_a, of_b = side(x, 0), side(x, 1)
        chosen = tf.one_hot(into, num_b, axis=1, dtype=x.dtype)  # [B, b, r]
        sums = of_b + tf.matmul(chosen, tf.gather(of_a, merged, batch_dims=1))
        left = tf.gather(of_a, kept, batch_dims=1)
        return tf.concat([x[:, :num_first], left, sums], axis=1)

    # No Ellipsis: Keras saves the indices of what is called on its inputs.
    sizes = tf.expand_dims(sizes, axis=-1)
    weighted = tf.cast(tokens, tf.float32) * sizes
    both = joined(tf.concat([weighted, sizes], axis=-1))  # [B, M - r, D + 1]
    weighted, sizes = both[:, :, :-1], both[:, :, -1:]
    tokens = tf.cast(weighted / sizes, tokens.dtype)
    sizes = tf.squeeze(sizes, axis=-1)
    moved = _moved(merged, kept, into, num_a, num_b, num_first)
    return Tokens(tokens, sizes, tf.gather(moved, places, batch_dims=1))


def unmerge(tokens, places) -> tf.Tensor:
    """Returns float [B, N, D]: every token of the beginning, as its mean.

    Args:
        tokens: float [B, M, D].
        places: int32 [B, N], of `Tokens`; or None, where nothing was merged.
    """
    if places is None:
        return tokens
    return tf.gather(tokens, places, batch_dims=1)


def _moved(merged, kept, into, num_a, num_b, num_first):
    """Returns int32 [B, M]: the new number of each token."""
    num_kept = num_a - merged.shape[1]
    after_a = num_first + num_kept
    # Of side a, in the order of `merged` and `kept`; then by their numbers.
    numbers = tf.zeros_like(kept) + num_first + tf.range(num_kept)
    numbers = tf.concat([after_a + into, numbers], axis=1)
    by_number = tf.argsort(tf.concat([merged, kept], axis=1))
    of_a = tf.gather(numbers, by_number, batch_dims=1)  # [B, a]
    of_b = tf.zeros_like(of_a[:, :num_b]) + after_a + tf.range(num_b)
    pairs = tf.stack([of_a[:, :num_b], of_b], axis=-1)  # in turns
    pairs = tf.reshape(pairs, [-1, 2 * num_b])
    first = tf.zeros_like(of_a[:, :1]) + tf.range(num_first)
    return tf.concat([first, pairs, of_a[:, num_b:]], axis=1)
