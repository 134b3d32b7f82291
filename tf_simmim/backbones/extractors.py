"""Keras' convolutional networks, taken apart into stem, blocks and norm.

Nothing is downloaded. The original is built once, with zeros for weights, and
only its configuration is kept.
"""

import dataclasses
import functools
import re

import tensorflow as tf

from tf_simmim.backbones.layer_graph import INPUT
from tf_simmim.backbones.layer_graph import Node
from tf_simmim.backbones.layer_graph import Part

_APPLICATIONS = {
    "convnext_tiny": "ConvNeXtTiny",
    "convnext_small": "ConvNeXtSmall",
    "convnext_base": "ConvNeXtBase",
    "convnext_large": "ConvNeXtLarge",
    "resnet50": "ResNet50",
    "resnet101": "ResNet101",
    "resnet50_v2": "ResNet50V2",
    "resnet101_v2": "ResNet101V2",
}
# Blocks of each stage. Keras-cv's own presets would be downloaded.
_KERAS_CV = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}
EXTRACTORS = (*_APPLICATIONS, *_KERAS_CV)

# Names of layers: convnext_tiny_stage_0_block_2_gelu, conv2_block3_1_bn,
# v2_stack_0_block1_1_conv.
_PLACE = re.compile(r"(?:^|_)(?:conv|stage_|stack_)(\d+)_block_?(\d+)_")


@dataclasses.dataclass(frozen=True)
class Block:
    """A residual block: y = after(shortcut + branch)."""

    body: Part  # with the outputs (shortcut, branch)
    after: Part


@dataclasses.dataclass(frozen=True)
class Extractor:
    """A network in parts: stem, blocks by stage, and what follows the last."""

    stem: Part
    stages: tuple[tuple[Block, ...], ...]
    norm: Part


@functools.cache
def extractor(name: str) -> Extractor:
    """Returns the parts of one of `EXTRACTORS`."""
    with tf.init_scope(), tf.variable_creator_scope(_zeros):
        model = _build(name)
    # Keras-cv's models describe themselves in another way.
    config = tf.keras.Model(model.inputs, model.outputs).get_config()
    return _take_apart(
        _read_nodes(model, config), config["output_layers"][0][0]
    )


def _zeros(next_creator, **kwargs):
    """Creates a weight without the time, and the draws, of random numbers."""
    shape, dtype = kwargs["shape"], kwargs["dtype"]
    if shape is not None:  # Keras' own counters have none
        kwargs["initial_value"] = lambda: tf.zeros(shape, dtype)
    return next_creator(**kwargs)


def _build(name):
    # Three channels; the layers that are kept take any number.
    options = dict(input_shape=(None, None, 3))
    if name in _KERAS_CV:
        # Here, because importing it takes seconds.
        import keras_cv

        return keras_cv.models.ResNetBackbone(
            stackwise_filters=[64, 128, 256, 512],
            stackwise_blocks=list(_KERAS_CV[name]),
            stackwise_strides=[1, 2, 2, 2],
            include_rescaling=False,
            block_type="basic_block",
            **options,
        )
    if name.startswith("convnext"):
        # Images come normalised.
        options["include_preprocessing"] = False
    build = getattr(tf.keras.applications, _APPLICATIONS[name])
    return build(include_top=False, weights=None, **options)


def _read_nodes(model, config):
    """Returns {name: Node} of all layers, in order; nested ones spread out."""
    nodes = {}
    last = {}  # {name of a layer: name of the node that gives its output}
    for entry in config["layers"]:
        name = entry["name"]
        layer = model.get_layer(name)
        if isinstance(layer, tf.keras.layers.InputLayer):
            last[name] = INPUT
            continue
        inputs = _sources(entry["inbound_nodes"][0], last)
        inner = getattr(layer, "layers", [layer])
        for part in inner:
            nodes[part.name] = Node(
                part.name, type(part), part.get_config(), inputs
            )
            inputs = (part.name,)
        last[name] = inner[-1].name
    return nodes


def _sources(inbound, last):
    """Returns the nodes that a layer takes, as Keras lists them."""
    names = []
    # Those of `a + b` are not in a list, and the second is a keyword.
    if isinstance(inbound[0], str):
        inbound = [inbound]
    for name, _, _, keywords in inbound:
        names.append(name)
        names += [v[0] for v in keywords.values() if isinstance(v, list)]
    return tuple(last[name] for name in names)


def _take_apart(nodes, output):
    # `a + b` is a layer of its own, as much as `Add` is.
    additions = [node for node in nodes.values() if len(node.inputs) == 2]
    takers = {}
    for node in nodes.values():
        for source in node.inputs:
            takers.setdefault(source, []).append(node)

    begin, stem, stages = None, None, {}
    for addition in additions:
        stage = _PLACE.search(addition.inputs[1]).group(1)
        if begin is None:
            begin = _stem_end(nodes, addition)
            stem = _between(nodes, INPUT, (begin,))
        body = _between(nodes, begin, addition.inputs)
        begin = addition.name
        # Version 1 of ResNet has a ReLU after the addition.
        (*others, taker) = takers[begin]
        if not others and taker.layer_class is tf.keras.layers.Activation:
            begin = taker.name
        after = _between(nodes, addition.name, (begin,))
        stages.setdefault(stage, []).append(Block(body, after))
    norm = _between(nodes, begin, (output,))
    return Extractor(stem, tuple(map(tuple, stages.values())), norm)


def _stem_end(nodes, addition):
    """Returns the last node that is no layer of a block."""
    name = addition.inputs[1]
    while _PLACE.search(name):
        name = nodes[name].inputs[0]
    return name


def _between(nodes, begin, ends):
    """Returns the part after one node, up to and with others."""
    needed, open_names = set(), [name for name in ends if name != begin]
    while open_names:
        name = open_names.pop()
        needed.add(name)
        sources = nodes[name].inputs
        open_names += [s for s in sources if s != begin and s not in needed]

    def short(name):
        return INPUT if name == begin else _short_name(name)

    return Part(
        tuple(
            dataclasses.replace(
                node, name=short(name), inputs=tuple(map(short, node.inputs))
            )
            for name, node in nodes.items()
            if name in needed
        ),
        tuple(map(short, ends)),
    )


def _short_name(name):
    """Returns a layer's name without that of its network and its block."""
    place = _PLACE.search(name)
    name = name[place.end() :] if place else name
    name = re.sub(r"^convnext_[a-z]+_", "", name)
    # Counted by Keras, or through all stages.
    name = re.sub(r"^(layer_normalization|downsampling_.+)_\d+$", r"\1", name)
    return "layer_" + name if name[0].isdigit() else name
