"""How one weight of ours corresponds to one weight of the reference."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf


def _same(array):
    return array


@dataclasses.dataclass(frozen=True)
class WeightMap:
    """One variable, its name in the reference, and the change of layout.

    Attributes:
        name: str. The reference's parameter name.
        variable: tf.Variable of ours.
        to_ours: function from the reference's layout to ours.
        to_reference: its inverse.
    """

    name: str
    variable: tf.Variable
    to_ours: Callable[[np.ndarray], np.ndarray] = _same
    to_reference: Callable[[np.ndarray], np.ndarray] = _same

    @property
    def reference_shape(self) -> tuple[int, ...]:
        """The shape that the reference stores this weight in."""
        return self.to_reference(np.empty(self.variable.shape, np.bool_)).shape


def linear(name: str, variable: tf.Variable) -> WeightMap:
    """Maps a linear kernel: [in, out] here, [out, in] in PyTorch."""
    return WeightMap(name, variable, np.transpose, np.transpose)


def dense(name: str, layer) -> list[WeightMap]:
    """Maps a Keras Dense layer onto a PyTorch linear layer."""
    return [
        linear(f"{name}.weight", layer.kernel),
        WeightMap(f"{name}.bias", layer.bias),
    ]


def layer_norm(name: str, layer) -> list[WeightMap]:
    """Maps a Keras LayerNormalization onto PyTorch's."""
    return [
        WeightMap(f"{name}.weight", layer.gamma),
        WeightMap(f"{name}.bias", layer.beta),
    ]


def convolution(name: str, variable: tf.Variable) -> WeightMap:
    """Maps a kernel: [height, width, in, out] here, [out, in, h, w] there."""
    return WeightMap(
        name,
        variable,
        lambda array: np.transpose(array, [2, 3, 1, 0]),
        lambda array: np.transpose(array, [3, 2, 0, 1]),
    )


def classification_head(head) -> list[WeightMap]:
    """Maps a `heads.ClassificationHead`, under the reference's names."""
    maps = layer_norm("fc_norm", head.norm) if head.normalize else []
    return maps + dense("head", head.linear)


def pixel_shuffle_head(
    prefix: str, head, channels: int, stride: int
) -> list[WeightMap]:
    """Maps a prediction head onto a 1x1 convolution before a pixel shuffle.

    PyTorch's pixel shuffle reads output f of a cell as (channel, row, column);
    ours, like `tf.nn.depth_to_space`, as (row, column, channel).
    """

    def shuffle(array):  # [F, ...] in (row, column, channel) order
        rest = array.shape[1:]
        array = array.reshape(stride, stride, channels, *rest)
        return np.moveaxis(array, 2, 0).reshape(-1, *rest)

    def unshuffle(array):  # [F, ...] in (channel, row, column) order
        rest = array.shape[1:]
        array = array.reshape(channels, stride, stride, *rest)
        return np.moveaxis(array, 0, 2).reshape(-1, *rest)

    return [
        WeightMap(
            f"{prefix}.weight",
            head.kernel,
            lambda array: unshuffle(array[:, :, 0, 0]).T,
            lambda array: shuffle(array.T)[:, :, np.newaxis, np.newaxis],
        ),
        WeightMap(f"{prefix}.bias", head.bias, unshuffle, shuffle),
    ]
