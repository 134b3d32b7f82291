"""A trained model, and every narrower one that it can become."""

import contextlib

import numpy as np
import tensorflow as tf

from tf_simmim import backbones
from tf_simmim.backbones import vit_plan
from tf_simmim.compression import block_weights
from tf_simmim.compression.mlp_units import MLPUnits
from tf_simmim.compression.query_key_rank import QueryKeyRank
from tf_simmim.compression.value_rank import ValueRank

# What of a block can be narrower, and the argument of a backbone that says so.
ARGUMENTS = {"mlp": "mlp_dims", "query_key": "key_dims", "value": "value_dims"}
PARTS = tuple(ARGUMENTS)


def parts_of(model) -> tuple[str, ...]:
    """Returns the parts that the blocks of a model's backbone can spare.

    Args:
        model: a model of a kind in `models.registry`.

    Raises:
        ValueError: it is no ViT or Swin.
    """
    backbone = model.backbone
    if not isinstance(backbone, backbones.ViT | backbones.Swin):
        raise ValueError(
            "A network must be a ViT or a Swin to be pruned, whose blocks may "
            "differ in width; a smaller convolutional network is one with "
            "other `widths`, trained anew. "
            f"Received: {type(backbone).__name__}."
        )
    if getattr(backbone, "version", 1) == 2 or _merges_tokens(backbone):
        return ("mlp", "value")
    return PARTS


def _merges_tokens(backbone):
    if not isinstance(backbone, backbones.ViT):
        return False
    return any(
        vit_plan.merged_per_block(backbone.reduce_tokens, backbone.depth)
    )


class Narrowing:
    """The parts of a model's blocks at every width.

    Args:
        model: a model of a kind in `models.registry`.
        calibration: sequence of `BlockCalibration`, of its blocks.
        orders: sequence of int [Q], for each block its hidden units, those to
            keep first.
        parts: sequence of names in `PARTS`, or None for all that can be.
        compensate: bool. Whether what stays takes over what units that go did.
            Ranks of attention always do.

    Attributes:
        parts: tuple of str.
        full: {part: tuple of int}, the widths of the model, for each block.

    Raises:
        ValueError: the model is no ViT or Swin, or a part is unknown, or is
            one that it has not: the rank of cosine attention, or of keys by
            which tokens are merged.
    """

    def __init__(
        self, model, calibration, orders, *, parts=None, compensate=True
    ):
        possible = parts_of(model)
        self.parts = possible if parts is None else tuple(parts)
        _require_parts(self.parts, possible)
        self._model = model
        self._blocks = block_weights.of_backbone(model.backbone)
        self._weights = [block_weights.read(block) for block in self._blocks]
        self._of_block = [
            _create(self.parts, *each, compensate)
            for each in zip(
                self._blocks, self._weights, calibration, orders, strict=True
            )
        ]
        self.full = {
            part: tuple(block[part].width for block in self._of_block)
            for part in self.parts
        }

    @property
    def num_blocks(self) -> int:
        """How many blocks the model has."""
        return len(self._blocks)

    def errors(self, part: str, block: int) -> np.ndarray:
        """Returns the share of variance that is lost at each width.

        Args:
            part: str, one of `parts`.
            block: int in [0, num_blocks).

        Returns:
            float64 [width + 1]: of the part's output, from 1 to 0.
        """
        return self._of_block[block][part].errors

    @contextlib.contextmanager
    def masked(self, widths):
        """Gives the model the answers of a narrower one, for a while.

        Its weights are those of that one, with zeros or of a lower rank in the
        shapes that it has: no graph is made anew.

        Args:
            widths: {part: sequence of int}, for each block; parts that are
                missing keep their widths.
        """
        changed = []
        try:
            for i, block in enumerate(self._blocks):
                found = self._changes(i, widths, "masked")
                if found:
                    changed.append(i)
                    block_weights.write(block, self._weights[i] | found)
            yield
        finally:
            for i in changed:
                block_weights.write(self._blocks[i], self._weights[i])

    def narrow(self, widths):
        """Returns the narrower model, new, of the same kind.

        Args:
            widths: as of `masked`.
        """
        model = self._model
        arguments = {
            ARGUMENTS[part]: tuple(map(int, dims))
            for part, dims in widths.items()
            if tuple(dims) != self.full[part]
        }
        backbone = type(model.backbone).from_config(
            {**model.backbone.get_config(), **arguments}
        )
        config = {**model.get_config(), "backbone": backbone}
        narrow = type(model)(**config)
        build = model.get_build_config()
        if build and "frozen" in build:
            narrow.build_from_config({"frozen": build["frozen"]})
        changes = {
            i: found
            for i in range(self.num_blocks)
            if (found := self._changes(i, widths, "narrow"))
        }
        _copy_others(model, narrow, [self._blocks[i] for i in changes])
        blocks = block_weights.of_backbone(narrow.backbone)
        for i, found in changes.items():
            block_weights.write(blocks[i], self._weights[i] | found)
        return narrow

    def describe(self, widths, block: int) -> dict:
        """Returns what is chosen of a block and why, JSON-able.

        Args:
            widths: as of `masked`.
            block: int in [0, num_blocks).
        """
        parts = self._of_block[block]
        dims = {part: int(each[block]) for part, each in widths.items()}
        described = {
            "widths": dims,
            "losses": {
                part: float(parts[part].errors[dim])
                for part, dim in dims.items()
            },
        }
        if "mlp" in dims:
            units = parts["mlp"]
            kept = sorted(units.order[: dims["mlp"]].tolist())
            described |= {
                "kept": kept,
                "information": units.information(dims["mlp"]),
                "information_of_all": units.information(units.width),
            }
        return described

    def _changes(self, block, widths, form):
        """Returns what of the weights of a block is other at some widths."""
        found = {}
        for part, dims in widths.items():
            each = self._of_block[block][part]
            if dims[block] != each.width:
                found |= getattr(each, form)(int(dims[block]))
        return found


def _create(parts, block, weights, calibration, order, compensate):
    """Returns {name: part} of a block."""
    of_attention, of_mlp = block_weights.output_scales(block)
    makers = {
        "mlp": lambda: MLPUnits(
            weights, calibration.hidden, of_mlp, order, compensate
        ),
        "query_key": lambda: QueryKeyRank(
            weights, calibration.queries, calibration.keys
        ),
        "value": lambda: ValueRank(weights, calibration.heads, of_attention),
    }
    return {part: makers[part]() for part in parts}


def _copy_others(source, target, narrowed):
    """Copies all weights but those that blocks become narrower by."""
    of_narrowed = {id(weight) for block in narrowed for weight in block.weights}
    for old, new in zip(source.weights, target.weights, strict=True):
        if old.shape == new.shape:
            new.assign(tf.cast(old, new.dtype))
        elif id(old) not in of_narrowed:
            raise ValueError(
                "`model` must keep the shape of every weight outside of the "
                "blocks that become narrower. Received: "
                f"{old.name}, {tuple(old.shape)}, which became "
                f"{tuple(new.shape)}."
            )


def _require_parts(parts, possible):
    for part in parts:
        if part == "query_key" and part not in possible:
            raise ValueError(
                "`parts` must be without query_key for a Swin of version 2 "
                "and for a ViT with `reduce_tokens`: they compare directions "
                "of queries or of keys, which a lower rank does not keep. "
                f"Received: {tuple(parts)}."
            )
    if not parts or not set(parts) <= set(possible):
        raise ValueError(
            f"`parts` must be some of {possible}. Received: {tuple(parts)}."
        )
