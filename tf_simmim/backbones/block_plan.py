"""What a backbone will be: its weights and its work, before it exists.

Dimension key:
  D: width of the tokens   K: num_heads   E, V: width of one head's queries and
  keys, and of its values   Q: hidden width of the MLP
  M: number of tokens   W: windows of an image
"""

import dataclasses
import math

from tf_simmim.backbones import checks
from tf_simmim.layers import transformer_block

# Far deeper than any network that was published. A plan lists its blocks.
MAX_BLOCKS = 1000


@dataclasses.dataclass(frozen=True)
class Part:
    """A layer of a backbone, or a block, as a plan has it.

    Attributes:
        name: str. Its layer's.
        num_weights: int. Numbers in all of its variables.
        flops: int. Floating-point operations for one image, in matrix
            products and convolutions; a multiply-add counts as two. What is
            computed once for a whole batch does not count.
    """

    name: str
    num_weights: int
    flops: int = 0


@dataclasses.dataclass(frozen=True)
class BlockShape:
    """The widths inside of a transformer's block.

    Attributes:
        embed_dim: int, D.
        num_heads: int, K.
        key_dim: int, E.
        value_dim: int, V.
        mlp_dim: int, Q.
        attention: str, a key of `transformer_block.ATTENTIONS`.
    """

    embed_dim: int
    num_heads: int
    key_dim: int
    value_dim: int
    mlp_dim: int
    attention: str


@dataclasses.dataclass(frozen=True)
class BlockPlan:
    """A backbone, counted from its arguments alone; see `Backbone.plan`.

    Attributes:
        parts: tuple of Part, every layer that has weights.
        shapes: tuple of BlockShape, of a transformer's blocks; else empty.
        image_size: (height, width), px.
        channels: int.
        grid_size: (h, w), patches.
        attended: int. Most tokens that one softmax is over; 0 without.
        stride: int, px per cell of the features.
        num_features: int. Width of the features.
    """

    parts: tuple[Part, ...]
    shapes: tuple[BlockShape, ...]
    image_size: tuple[int, int]
    channels: int
    grid_size: tuple[int, int]
    attended: int
    stride: int
    num_features: int

    @property
    def num_weights(self) -> int:
        """Numbers in all variables: `backbone.count_params()`."""
        return sum(part.num_weights for part in self.parts)

    @property
    def flops(self) -> int:
        """Operations of a forward pass for one image; see `Part`."""
        return sum(part.flops for part in self.parts)


def block_shapes(
    widths,
    *,
    num_heads,
    key_dims=None,
    value_dims=None,
    mlp_dims=None,
    mlp_ratio,
    attention="softmax",
) -> tuple[BlockShape, ...]:
    """Returns the shapes of blocks, with what follows from their widths.

    Args:
        widths: sequence of int, D of each block.
        num_heads: int, K of all blocks, or a sequence with one for each.
        key_dims: int or sequence likewise, E; or None for D / K.
        value_dims: int or sequence likewise, V; or None for D / K.
        mlp_dims: int or sequence likewise, Q; or None for `mlp_ratio` * D.
        mlp_ratio: float > 0.
        attention: str, or a sequence of these; see `ATTENTIONS`.

    Raises:
        ValueError: a list of another length; a width that is no positive
            int; heads that do not divide D where a width follows from them;
            no ratio; or an unknown attention.
    """
    num_blocks = len(widths)
    checks.require_ratio(mlp_ratio, min(widths))
    attentions = checks.per_block("attention", attention, num_blocks)
    for name in attentions:
        kinds = tuple(transformer_block.ATTENTIONS)
        checks.require_one_of("attention", name, kinds)
    columns = [checks.per_block("num_heads", num_heads, num_blocks)]
    for name, value in (
        ("key_dims", key_dims),
        ("value_dims", value_dims),
        ("mlp_dims", mlp_dims),
    ):
        columns.append(checks.per_block(name, value, num_blocks))
        given = [dim for dim in columns[-1] if dim is not None]
        for dim in given:
            checks.require_positive(**{name: dim})
    shapes = []
    for width, heads, key_dim, value_dim, mlp_dim, kind in zip(
        widths, *columns, attentions, strict=True
    ):
        follows = None in (key_dim, value_dim)
        checks.require_heads(width if follows else heads, heads)
        shapes.append(
            BlockShape(
                width,
                heads,
                width // heads if key_dim is None else key_dim,
                width // heads if value_dim is None else value_dim,
                int(width * mlp_ratio) if mlp_dim is None else mlp_dim,
                kind,
            )
        )
    return tuple(shapes)


def attention_cost(shape: BlockShape, num_tokens, num_windows, qkv_bias):
    """Returns (weights, operations) of a block's attention.

    Args:
        shape: BlockShape.
        num_tokens: int, M. Tokens of one softmax.
        num_windows: int, W. How many of these an image has.
        qkv_bias: one of `self_attention.QKV_BIASES`.
    """
    weights, products = transformer_block.ATTENTIONS[shape.attention].cost(
        embed_dim=shape.embed_dim,
        num_heads=shape.num_heads,
        key_dim=shape.key_dim,
        value_dim=shape.value_dim,
        qkv_bias=qkv_bias,
        num_tokens=num_tokens,
    )
    return weights, 2 * num_windows * products


def mlp_cost(shape: BlockShape, num_tokens):
    """Returns (weights, operations) of an `MLP`."""
    kernels = 2 * shape.embed_dim * shape.mlp_dim
    weights = kernels + shape.mlp_dim + shape.embed_dim
    return weights, 2 * num_tokens * kernels


def num_offsets(grid_size) -> int:
    """Returns how many offsets there are between two cells of a grid."""
    return math.prod(2 * side - 1 for side in grid_size)
