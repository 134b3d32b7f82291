"""Models from the weights of other implementations, and nothing left unsaid."""

import dataclasses
import fnmatch
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

from tf_simmim import backbones
from tf_simmim import models
from tf_simmim.convert import architecture_swin
from tf_simmim.convert import architecture_vit
from tf_simmim.convert import naming
from tf_simmim.convert import position_rows
from tf_simmim.convert import reference
from tf_simmim.convert import shapes
from tf_simmim.convert.conversion_report import ConversionReport
from tf_simmim.convert.model_facts import ModelFacts

_MASK_PATCH_SIZE = 32
# The paper's mask ratio, 0.6, would hide both of two.
_FEWEST_SQUARES = 3
_ENCODER, _DECODER = "encoder.", "decoder.0."
# Hugging Face's ViT, where config.json does not say otherwise; all but DINOv2,
# whose norms have other names.
_HUGGING_FACE_EPSILON, _HUGGING_FACE_NORM = 1e-12, "layernorm_before.weight"
_NEW = "new, as at the start of pretraining"
_NEW_INSTEAD = "new, since what the file has is ignored as allowed"
_HEAD = "a classification head; the encoder alone is kept"
_ALLOWED = "allowed by name"
_UNUSED = {
    "head.weight": _HEAD,
    "head.bias": _HEAD,
    "head_dist.weight": _HEAD,
    "head_dist.bias": _HEAD,
    "lm_head.weight": "of BEiT's visual tokens",
    "lm_head.bias": "of BEiT's visual tokens",
    "fc_norm.weight": "the norm before a classification head",
    "fc_norm.bias": "the norm before a classification head",
    "pooler.dense.weight": "for a head on the class token",
    "pooler.dense.bias": "for a head on the class token",
}
_MAY_BE_MISSING = {"encoder.mask_token", "decoder.0.weight", "decoder.0.bias"}


@dataclasses.dataclass(frozen=True)
class Conversion:
    """A model with weights of another implementation.

    Attributes:
        model: `models.SimMIM` or `models.Classifier`, not compiled.
        report: `ConversionReport`.
    """

    model: models.SimMIM | models.Classifier
    report: ConversionReport


def convert_weights(
    weights: Mapping[str, np.ndarray],
    facts: ModelFacts | None = None,
    keep_head: bool = False,
    allow_unused: Sequence[str] = (),
    prefix: str | None = None,
) -> Conversion:
    """Builds the model that weights are of, and sets them.

        file = convert.read_safetensors("swin_base.safetensors")
        backbone = convert.convert_weights(file).model.backbone

    What the weights of an encoder lack (the mask token, the prediction head)
    is as at the start of pretraining; the report says so.

    Args:
        weights: {name: array} under the names of the reference (pretrained or
            fine-tuned), timm or Hugging Face; ViT or Swin.
        facts: what they do not say, such as a ViT's number of heads; see
            `ModelFacts`. None for nothing.
        keep_head: bool. Whether to keep a classification head, and return a
            `models.Classifier`. It must be one on the mean of all patches: of
            any Swin, of a ViT that has been fine-tuned as in the reference
            (`fc_norm`, no `norm`), not one on a class token.
        allow_unused: names in `weights`, or patterns of them such as
            "head.*", to be ignored: names that the network has no place for;
            and any others, for which it then has new weights.
        prefix: str or None. Which network to take where `weights` hold
            several: what stands before the names of its weights, e.g.
            "teacher.backbone.", or how that begins. None for the only one.

    Returns:
        `Conversion`. Every number in the model is the file's, bit for bit,
        where it was float32 or less.

    Raises:
        ValueError: a name has no place in the network and is not explained, or
            a weight is missing; the message lists all of them. Or the weights
            are of another network, or do not say enough.
    """
    weights, rounded, not_finite = _as_float32(weights)
    named = naming.reference_names(weights, prefix)
    facts = facts or ModelFacts()
    positions, changed = position_rows.with_own_rows(named.weights, facts)
    if changed:
        named.weights["pos_embed"] = positions
    model, notes = _create_model(named, facts, keep_head)

    def full(name):  # as `reference_weights` has it
        is_encoder = not keep_head and not name.startswith(_DECODER)
        return _ENCODER + name if is_encoder else name

    fresh = reference.reference_weights(model)
    given = {full(name): array for name, array in named.weights.items()}
    sources = {full(name): names for name, names in named.sources.items()}
    unused, unexplained = dict(named.unused), []
    ignored = {
        name
        for name in given
        if any(_is_allowed(source, allow_unused) for source in sources[name])
    }
    for name in sorted(given.keys() & fresh.keys() - ignored):
        for source in not_finite.keys() & set(sources[name]):
            raise ValueError(
                "`weights` must be finite in float32. "
                f"Received: {source} up to {not_finite[source]}."
            )
    for name in given.keys() - fresh.keys() | ignored:
        why = _UNUSED.get(name.removeprefix(_ENCODER))
        if name in ignored:
            why = _ALLOWED
        if why is None:
            unexplained += sources[name]
        else:
            unused |= dict.fromkeys(sources[name], why)
    for name in named.strangers:
        if _is_allowed(name, allow_unused):
            unused[name] = _ALLOWED
        else:
            unexplained.append(name)
    missing = {
        name: _NEW_INSTEAD if name in ignored else _NEW
        for name in sorted(fresh.keys() - (given.keys() - ignored))
    }
    _require_complete(
        sorted(unexplained),
        sorted(missing.keys() - ignored - _MAY_BE_MISSING),
        [
            p
            for p in allow_unused
            if not any(_is_allowed(n, [p]) for n in weights)
        ],
    )
    used = {name: given[name] for name in fresh if name not in missing}
    if not used:
        raise ValueError(
            "`allow_unused` must leave weights to use. "
            f"Received: {list(allow_unused)}, which match all of them."
        )
    reference.load_reference_weights(model, {**fresh, **used})
    return Conversion(
        model,
        ConversionReport(
            naming=named.naming,
            used={source: name for name in used for source in sources[name]},
            unused=dict(sorted(unused.items())),
            missing=missing,
            notes=notes,
            rounded=tuple(sorted(rounded)),
            prefix=named.prefix,
            changed={
                source: changed
                for source in named.sources.get("pos_embed", ())
                if changed
            },
        ),
    )


def _is_allowed(name, allow_unused):
    return any(
        name == pattern or fnmatch.fnmatchcase(name, pattern)
        for pattern in allow_unused
    )


def _create_model(named, facts, keep_head):
    """Returns (model with fresh weights, notes)."""
    if "patch_embed.norm.weight" in named.weights:
        arguments, notes = architecture_swin.swin_arguments(
            named.weights, named.constants, facts
        )
        backbone = backbones.Swin(**arguments)
    else:
        if facts.epsilon is None and any(
            name.endswith(_HUGGING_FACE_NORM)
            for names in named.sources.values()
            for name in names
        ):
            facts = dataclasses.replace(facts, epsilon=_HUGGING_FACE_EPSILON)
        arguments, notes = architecture_vit.vit_arguments(named.weights, facts)
        backbone = backbones.ViT(**arguments)
    if not keep_head:
        mask_patch_size = _mask_patch_size(backbone)
        return models.SimMIM(backbone, mask_patch_size=mask_patch_size), notes
    if "head.weight" not in named.weights or arguments.get("final_norm"):
        raise ValueError(
            "`keep_head` needs weights with a classification head on the mean "
            "of all patches: head.weight, and of a ViT fc_norm.weight. "
            f"Received names: {_few(named.weights)}."
        )
    num_classes, _ = shapes.shape_of(named.weights, "head.weight", 2)
    return models.Classifier(backbone, num_classes), notes


def _few(names):
    heads = [n for n in names if n.startswith(("head", "fc_norm", "norm."))]
    return sorted(heads) or "no head"


def _as_float32(weights):
    """Returns arrays whose floats are float32, and what became of them.

    Returns:
        ({name: array}; list of names that were rounded; {name: largest value}
        of those that are not finite, of which none may be used).
    """
    arrays, rounded, not_finite = {}, [], {}
    for name, array in weights.items():
        array = np.asarray(array)
        if array.dtype.kind == "f":
            with np.errstate(over="ignore"):
                single = array.astype(np.float32)
            if not np.isfinite(single).all():
                not_finite[name] = np.abs(array).max()
            elif (single != array).any():
                rounded.append(name)
            array = single
        arrays[name] = array
    return arrays, rounded, not_finite


def _mask_patch_size(backbone):
    """Returns the paper's 32 px where it fits, else a cell or a patch."""
    height, width = backbone.image_size
    for size in (_MASK_PATCH_SIZE, backbone.stride):
        num_squares = (height // size) * (width // size)
        if (
            height % size == width % size == size % backbone.patch_size == 0
            and num_squares >= _FEWEST_SQUARES
        ):
            return size
    return backbone.patch_size


def _require_complete(unexplained, missing, not_there):
    if unexplained or missing:
        raise ValueError(
            "`weights` must be those of one network. No place for: "
            f"{unexplained or 'none'} (`allow_unused` names what may be "
            f"ignored, or has patterns of it). Missing: {missing or 'none'}."
        )
    if not_there:
        raise ValueError(
            "`allow_unused` must be names of `weights`, or patterns of them. "
            f"Received: {not_there}, which none of them matches."
        )
