"""What a backbone will be: its weights and its work, before it exists.

Dimension key:
  D: width of the tokens   K: num_heads   E, V: width of one head's queries and
  keys, and of its values   Q: hidden width of the MLP
  M: number of tokens   W: windows of an image
"""

import dataclasses
import math

from tf_simmim.backbones import checks

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
    """

    embed_dim: int
    num_heads: int
    key_dim: int
    value_dim: int
    mlp_dim: int


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


def block_shapes(widths, num_heads, mlp_ratio) -> tuple[BlockShape, ...]:
    """Returns the shapes of blocks, with what follows from their widths.

    Args:
        widths: sequence of int, D of each block.
        num_heads: sequence of int, K of each block.
        mlp_ratio: float > 0. Q over D.

    Raises:
        ValueError: heads that do not divide their width, or no ratio.
    """
    checks.require_ratio(mlp_ratio, min(widths))
    shapes = []
    for width, heads in zip(widths, num_heads, strict=True):
        checks.require_heads(width, heads)
        head_dim = width // heads
        shapes.append(
            BlockShape(width, heads, head_dim, head_dim, int(width * mlp_ratio))
        )
    return tuple(shapes)


def attention_cost(shape: BlockShape, num_tokens, num_windows, qkv_bias):
    """Returns (weights, operations) of a `SelfAttention`.

    Args:
        shape: BlockShape.
        num_tokens: int, M. Tokens of one softmax.
        num_windows: int, W. How many of these an image has.
        qkv_bias: one of `self_attention.QKV_BIASES`.
    """
    width, heads = shape.embed_dim, shape.num_heads
    keys, values = heads * shape.key_dim, heads * shape.value_dim
    num_biases = {
        "query_value": keys + values,
        "query_key_value": 2 * keys + values,
        "none": 0,
    }[qkv_bias]
    kernel, projection = width * (2 * keys + values), values * width
    weights = kernel + num_biases + projection + width
    of_a_window = num_tokens * (kernel + projection)
    of_a_window += num_tokens**2 * (keys + values)
    return weights, 2 * num_windows * of_a_window


def mlp_cost(shape: BlockShape, num_tokens):
    """Returns (weights, operations) of an `MLP`."""
    kernels = 2 * shape.embed_dim * shape.mlp_dim
    weights = kernels + shape.mlp_dim + shape.embed_dim
    return weights, 2 * num_tokens * kernels


def num_offsets(grid_size) -> int:
    """Returns how many offsets there are between two cells of a grid."""
    return math.prod(2 * side - 1 for side in grid_size)
