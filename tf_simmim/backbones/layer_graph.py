"""Layers in a graph, made anew from the configuration of a Keras model."""

import dataclasses

import tensorflow as tf

from tf_simmim import layers

INPUT = "input"


@dataclasses.dataclass(frozen=True)
class Node:
    """One layer of a graph: what it is, and where its inputs come from.

    Attributes:
        name: str. Unique in its graph.
        layer_class: a class of Keras layers.
        config: dict for its `from_config`.
        inputs: names of the nodes that it takes, in order; `INPUT` is the
            graph's own input.
    """

    name: str
    layer_class: type
    config: dict
    inputs: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Part:
    """Some layers of a network.

    Attributes:
        nodes: tuple of `Node`, each after those it takes.
        outputs: names of the nodes whose outputs it gives.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]


class LayerGraph(tf.keras.layers.Layer):
    """Runs fresh copies of layers, in the order of their nodes.

    Unlike `tf.keras.models.clone_model`, every copy follows the precision of
    this layer, and creates its weights inside it, under its name.

    Two kinds of layers are replaced by others that compute the same:
    `BatchNormalization` by `layers.SyncBatchNormalization`, and a convolution
    with one group per feature by `DepthwiseConv2D`, since grouped convolutions
    have no gradient on CPUs.

    Args:
        part: `Part`.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        inputs: float [batch, height, width, features].
        training: bool.

    Returns:
        list of float tensors, one an output.
    """

    def __init__(self, part, **kwargs):
        super().__init__(**kwargs)
        self.wiring = tuple((node.name, node.inputs) for node in part.nodes)
        self.output_names = part.outputs
        self.parts = [_create(node, self.dtype_policy) for node in part.nodes]

    def call(self, inputs, training=None):
        values = {INPUT: inputs}
        for (name, sources), layer in zip(self.wiring, self.parts, strict=True):
            taken = [values[source] for source in sources]
            taken = taken[0] if len(taken) == 1 else taken
            if isinstance(layer, layers.SyncBatchNormalization):
                values[name] = layer(taken, training=training)
            else:
                values[name] = layer(taken)
        return [values[name] for name in self.output_names]


def _create(node, policy):
    cls, config = node.layer_class, dict(node.config)
    if "kernel_initializer" in config:
        config["kernel_initializer"] = _seeded(config["kernel_initializer"])
    if issubclass(cls, tf.keras.layers.BatchNormalization):
        cls = layers.SyncBatchNormalization
        config = {key: config[key] for key in ("momentum", "epsilon")}
    elif config.get("groups", 1) > 1:
        cls = tf.keras.layers.DepthwiseConv2D
        config["depthwise_initializer"] = config["kernel_initializer"]
        keys = "kernel_size strides padding use_bias depthwise_initializer"
        config = {key: config[key] for key in keys.split()}
    return cls.from_config({**config, "name": node.name, "dtype": policy})


def _seeded(initializer):
    """Gives an initializer a seed, from TensorFlow's global generator.

    Without one, Keras draws it from Python's, in a way that newer versions of
    Python refuse.
    """
    seed = int(tf.random.uniform([], maxval=tf.int32.max, dtype=tf.int32))
    options = {**initializer["config"], "seed": seed}
    return {**initializer, "config": options}
