"""The network that options ask for, before any weight of it exists."""

import dataclasses
import fractions
import math

from tf_simmim.backbones import block_plan
from tf_simmim.backbones import extractors
from tf_simmim.backbones.layer_graph import INPUT
from tf_simmim.backbones.layer_graph import Part

# Weights for each feature of other layers: gain and bias, moving statistics.
_VECTORS = {"BatchNormalization": 4, "LayerNormalization": 2, "LayerScale": 1}
# Options of layers that are numbers of features.
_WIDTHS = ("filters", "groups", "units", "projection_dim")


@dataclasses.dataclass(frozen=True)
class Plan:
    """A convolutional network in parts, and its sizes.

    Attributes:
        stem: Part.
        blocks: {name: extractors.Block}, in order.
        norm: Part. What follows the last block; may be empty.
        depths: tuple of int. Blocks of each stage.
        widths: tuple of int. Features that each stage gives.
        strides: tuple of int, px. After the stem, and after each block.
        stem_width: int. Features that the stem gives.
        costs: {name: (weights, products)} of the stem, each block and the
            norm: the numbers in all variables, and the multiply-adds for each
            pixel of an image, a fraction.
    """

    stem: Part
    blocks: dict[str, extractors.Block]
    norm: Part
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    strides: tuple[int, ...]
    stem_width: int
    costs: dict[str, tuple[int, fractions.Fraction]]

    @property
    def stride(self) -> int:
        """Px per cell of the last feature map."""
        return self.strides[-1]

    def parts(self, image_size: tuple[int, int]) -> tuple[block_plan.Part, ...]:
        """Returns what the stem, each block and the norm cost an image."""
        num_pixels = math.prod(image_size)
        return tuple(
            block_plan.Part(name, weights, int(2 * num_pixels * products))
            for name, (weights, products) in self.costs.items()
        )


def plan(extractor: str, depths, widths, channels: int) -> Plan:
    """Returns the network of an extractor with other depths and widths.

    Args:
        extractor: str, one of `extractors.EXTRACTORS`.
        depths: sequence of int, or None; see `Convolutional`.
        widths: sequence of int, or None; see `Convolutional`.
        channels: int. Image channels.

    Raises:
        ValueError: depths or widths that this network cannot have.
    """
    network = extractors.extractor(extractor)
    original = tuple(len(blocks) for blocks in network.stages)
    depths = original if depths is None else _as_tuple(depths)
    _require_depths(depths, original, network.stages)
    originals = _original_widths(network)[: len(depths)]
    widths = originals if widths is None else _as_tuple(widths)
    if len(widths) != len(depths) or not _are_positive(widths):
        raise ValueError(
            "`widths` must have one positive number a stage. "
            f"Received: widths={widths}, depths={depths}."
        )

    ratios = list(zip(widths, originals, strict=True))
    stem = _with_width(network.stem, *ratios[0])
    stride, features, cost = _measure(stem, stem.outputs[0], channels)
    strides, blocks, stem_width = [stride], {}, features
    costs = {"stem": cost}
    for stage, depth in enumerate(depths):
        for place, block in enumerate(_shortened(network.stages[stage], depth)):
            body = _with_width(block.body, *ratios[stage])
            step, features, cost = _measure(
                body, body.outputs[1], features, strides[-1]
            )
            strides.append(strides[-1] * step)
            name = f"stage_{stage}_block_{place}"
            costs[name] = cost
            blocks[name] = extractors.Block(body, block.after)
    if network.norm.outputs:
        *_, costs["norm"] = _measure(
            network.norm, network.norm.outputs[0], features
        )
    return Plan(
        stem,
        blocks,
        network.norm,
        depths,
        widths,
        tuple(strides),
        stem_width,
        costs,
    )


def _as_tuple(value):
    """Returns a list as a tuple; what is none becomes a tuple of itself."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _are_positive(numbers):
    return all(isinstance(n, int) and n > 0 for n in numbers)


def _require_depths(depths, original, stages):
    if not (0 < len(depths) <= len(original) and _are_positive(depths)) or any(
        depth > most for depth, most in zip(depths, original, strict=False)
    ):
        raise ValueError(
            "`depths` must have one positive number a stage, for the first "
            f"stages or all, and at most {original}. Received: {depths}."
        )
    for depth, blocks in zip(depths, stages, strict=False):
        if depth == 1 and _step(blocks[-1]) > 1 and len(blocks) > 1:
            raise ValueError(
                "`depths` must be at least 2 in stages whose last block has "
                f"the stride, as those of ResNet version 2. Received: {depths}."
            )


def _shortened(blocks, depth):
    """Keeps the first blocks, and the last one if it has the stride."""
    if _step(blocks[-1]) > 1:
        return (*blocks[: depth - 1], blocks[-1])
    return blocks[:depth]


def _step(block):
    return _measure(block.body, block.body.outputs[1], 1)[0]


def _original_widths(network):
    return tuple(
        _measure(blocks[-1].body, blocks[-1].body.outputs[1], 1)[1]
        for blocks in network.stages
    )


def _measure(part, name, features, stride=1):
    """Returns (stride, features, cost) at one of a part's nodes.

    Args:
        part: Part.
        name: str. The node.
        features: int. Of the part's input.
        stride: int, px. Of the part's input; the stride that is returned is
            relative to it.
    """
    strides, widths = {INPUT: 1}, {INPUT: features}
    num_weights, products = 0, fractions.Fraction(0)
    for node in part.nodes:
        config, source = node.config, node.inputs[0]
        strides[node.name] = strides[source] * config.get("strides", (1, 1))[0]
        width = config.get("filters", config.get("units"))
        widths[node.name] = width or widths[source]
        if width:
            area = math.prod(config.get("kernel_size", (1,)))
            inputs = widths[source] // config.get("groups", 1)
            kernel = area * inputs * width
            num_weights += kernel + width * config["use_bias"]
            cell = (stride * strides[node.name]) ** 2
            products += fractions.Fraction(kernel, cell)
        vectors = _VECTORS.get(node.layer_class.__name__, 0)
        num_weights += vectors * widths[source]
    return strides[name], widths[name], (num_weights, products)


def _with_width(part, width, original):
    """Returns a copy whose layers are `width / original` times as wide."""

    def scaled(node):
        config = dict(node.config)
        for key in _WIDTHS:
            if config.get(key, 1) > 1:
                config[key], rest = divmod(config[key] * width, original)
                if rest or not config[key]:
                    raise ValueError(
                        "`widths` must leave whole numbers of features to the "
                        f"layers inside of blocks: {node.config[key]} where "
                        f"the stage gives {original}. Received: {width}."
                    )
        return dataclasses.replace(node, config=config)

    return Part(tuple(map(scaled, part.nodes)), part.outputs)
