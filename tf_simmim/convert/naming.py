"""Names that other implementations give weights, turned into the reference's.

Known are the reference itself (SimMIM's own code, whose fine-tuned models have
no prefix), timm, and Hugging Face's transformers, before version 5 and since.
What stands before all names is taken off, see `prefixes`. Where these differ in
more than names:

* Hugging Face keeps queries, keys and values apart; here they are one matrix.
* timm, since 0.9, counts a patch merging to the stage that it begins; the
  reference, Hugging Face and older timm to the stage that it ends.
"""

import dataclasses
import re
from collections.abc import Mapping

import numpy as np

from tf_simmim.convert import prefixes

HUGGING_FACE = "Hugging Face"
_COMPUTED = "a constant, which is computed here"
_OF_OTHERS = "of another network in the file than the one of `prefix`"
_OF_DECODER = "of MAE's decoder; the encoder alone is kept"
# Its authors' names, and Hugging Face's.
_DECODER_EMBEDDING = re.compile(
    r"((?:.+?\.)??)decoder(?:_|\.decoder_)embed\.weight"
)
# What is no weight, in any naming.
_CONSTANTS = re.compile(
    r".*\b(relative_position_index|relative_coords_table|attn_mask)"
)
_PARTS = {"q": 0, "k": 1, "v": 2}
# Of a block, after its number: (pattern, the reference's). `\1` is the first
# group; "qkv" stands for the three parts, named by a group of that letter.
_HUGGING_FACE_BLOCK = (
    (r"layernorm_before\.(.+)", r"norm1.\1"),
    (r"layernorm_after\.(.+)", r"norm2.\1"),
    (r"(norm[12]\..+)", r"\1"),
    (r"lambda_([12])", r"gamma_\1"),
    (r"layer_scale([12])\.lambda1", r"gamma_\1"),
    (r"attention\.(?:output\.dense|o_proj)\.(.+)", r"attn.proj.\1"),
    (r"(?:intermediate\.dense|mlp\.fc1)\.(.+)", r"mlp.fc1.\1"),
    (r"(?:output\.dense|mlp\.fc2)\.(.+)", r"mlp.fc2.\1"),
    (
        r"(?:attention\.)?(?:self\.|attention\.)?"
        r"(?:relative_position_bias\.)?(relative_position_.+)",
        r"attn.\1",
    ),
)
_HUGGING_FACE_PART = re.compile(
    r"attention\.(?:(?:attention|self)\.([qkv])(?:uery|ey|alue)|([qkv])_proj)"
    r"\.(weight|bias)"
)
_HUGGING_FACE_OTHERS = (
    (r"embeddings\.cls_token", "cls_token"),
    (r"embeddings\.mask_token", "mask_token"),
    (r"embeddings\.position_embeddings", "pos_embed"),
    (r"embeddings\.patch_embeddings\.projection\.(.+)", r"patch_embed.proj.\1"),
    (r"embeddings\.norm\.(.+)", r"patch_embed.norm.\1"),
    (r"encoder\.layers\.(\d+)\.downsample\.(.+)", r"layers.\1.downsample.\2"),
    (r"embeddings\.distillation_token", "dist_token"),
    (r"embeddings\.register_tokens", "reg_token"),
    (
        r"(?:encoder\.relative|shared)_position_bias\.(.+)",
        r"rel_pos_bias.\1",
    ),
    (r"layernorm\.(.+)", r"norm.\1"),
    (r"pooler\.layernorm\.(.+)", r"fc_norm.\1"),
    (r"(?:cls_)?classifier\.(.+)", r"head.\1"),
    (r"distillation_classifier\.(.+)", r"head_dist.\1"),
    (r"(decoder\.0\.(?:weight|bias))", r"\1"),
)
_HUGGING_FACE_BLOCKS = (
    (r"(?:encoder\.layer|layers)\.(\d+)\.(.+)", "blocks.{}."),
    (r"encoder\.layers\.(\d+)\.blocks\.(\d+)\.(.+)", "layers.{}.blocks.{}."),
)


@dataclasses.dataclass(frozen=True)
class Named:
    """Weights under the reference's names, without `encoder.`.

    Attributes:
        naming: str, whose names they had.
        prefix: str, what stood before all of them.
        weights: {name: array}.
        sources: {name: tuple of the names that it had in the file}.
        constants: {name: array}, of what is no weight.
        unused: {name in the file: why it is no weight of a network here}.
        strangers: names in the file that are of no network, nor beside one.
    """

    naming: str
    prefix: str
    weights: dict[str, np.ndarray]
    sources: dict[str, tuple[str, ...]]
    constants: dict[str, np.ndarray]
    unused: dict[str, str]
    strangers: tuple[str, ...]


def reference_names(
    weights: Mapping[str, np.ndarray], prefix: str | None = None
) -> Named:
    """Returns weights under the reference's names.

    A name that is not understood stays as it is: whoever builds the network
    sees that it has no such weight.

    Args:
        weights: {name: array}, of the reference, timm or Hugging Face.
        prefix: str or None. Which network to take where there are several;
            see `prefixes.divide`.

    Raises:
        ValueError: there is no patch embedding under any known name, or not
            one under `prefix`; one of queries, keys and values is missing, or
            has another shape; or two names mean the same weight.
    """
    division = prefixes.divide(weights, prefix)
    names, place = division.names, division.place
    short = set(names.values())
    naming, prefix = "the reference or timm", place.prefix
    rename = _renamer_for_timm(short)
    if place.is_hugging_face:
        naming, rename = HUGGING_FACE, _from_hugging_face
    elif place.is_simmim:
        naming = "SimMIM's reference"
        # Its own names.
        prefix = "" if prefix == "encoder." else prefix
    decoder = _names_of_decoder(weights)
    unused = dict.fromkeys(division.of_others, _OF_OTHERS)
    unused |= dict.fromkeys(decoder, _OF_DECODER)
    strangers = tuple(n for n in division.strangers if n not in decoder)
    named = Named(naming, prefix, {}, {}, {}, unused, strangers)
    parts = {}
    for name, plain in names.items():
        if name in decoder:
            continue
        new, part = rename(plain)
        if _CONSTANTS.fullmatch(new):
            named.constants[new] = weights[name]
            named.unused[name] = _COMPUTED
        elif part is not None:
            by_part = parts.setdefault(new, {})
            if part in by_part:
                raise _doubled(new, [by_part[part], name])
            by_part[part] = name
        elif new in named.weights:
            raise _doubled(new, [*named.sources[new], name])
        else:
            named.weights[new] = weights[name]
            named.sources[new] = (name,)
    for new, by_part in parts.items():
        if new in named.weights:
            raise _doubled(new, [*named.sources[new], *by_part.values()])
        _join(named, new, by_part, weights)
    token = named.weights.get("mask_token")
    if token is not None and np.ndim(token) == 2:
        named.weights["mask_token"] = np.asarray(token)[np.newaxis]  # DINOv2's
    return named


def _names_of_decoder(names):
    """Returns the names of MAE's decoder; the mask token is its too."""
    found = [m[1] for m in map(_DECODER_EMBEDDING.fullmatch, names) if m]
    starts = tuple(f"{root}decoder{sign}" for root in found for sign in "._")
    tokens = {f"{root}mask_token" for root in found}
    return {n for n in names if n.startswith(starts) or n in tokens}


def _join(named, new, by_part, weights):
    """Puts queries, keys and values into one; BEiT has no bias of keys."""
    if new.endswith(".bias") and by_part.keys() == {"q", "v"}:
        for part, name in by_part.items():
            bias = f"{new.removesuffix('qkv.bias')}{part}_bias"
            named.weights[bias] = weights[name]
            named.sources[bias] = (name,)
        return
    sources = tuple(by_part[part] for part in _PARTS if part in by_part)
    arrays = [np.asarray(weights[name]) for name in sources]
    if len(arrays) < 3 or len({array.shape for array in arrays}) > 1:
        raise ValueError(
            f"`weights` must have queries, keys and values for {new}, all of "
            "one shape. Received: "
            f"{ {n: a.shape for n, a in zip(sources, arrays, strict=True)} }."
        )
    named.weights[new] = np.concatenate(arrays)
    named.sources[new] = sources


def _doubled(new, sources):
    return ValueError(
        f"`weights` must have each weight once. Received: {sources}, which all "
        f"mean {new}."
    )


def _from_hugging_face(name):
    """Returns (the reference's name, which part of `qkv` it is or None)."""
    for pattern, start in _HUGGING_FACE_BLOCKS:
        if match := re.fullmatch(pattern, name, re.ASCII):
            *numbers, rest = match.groups()
            start = start.format(*numbers)
            if part := _HUGGING_FACE_PART.fullmatch(rest):
                letter = part[1] or part[2]
                return f"{start}attn.qkv.{part[3]}", letter
            new = _first_match(_HUGGING_FACE_BLOCK, rest)
            if new is not None:
                return start + new, None
    new = _first_match(_HUGGING_FACE_OTHERS, name)
    return (name if new is None else new), None


def _first_match(rules, name):
    for pattern, new in rules:
        if match := re.fullmatch(pattern, name, re.ASCII):
            return match.expand(new)
    return None


def _renamer_for_timm(names):
    """Returns the function for names that are almost the reference's."""
    begins_stage = "layers.1.downsample.norm.weight" in names and not any(
        name.startswith("layers.0.downsample.") for name in names
    )

    def rename(name):
        name = re.sub(r"\.ls([12])\.gamma$", r".gamma_\1", name)
        name = re.sub(r"^head\.fc\.", "head.", name)
        merging = re.fullmatch(r"layers\.(\d+)(\.downsample\..+)", name)
        if merging and begins_stage:
            name = f"layers.{int(merging[1]) - 1}{merging[2]}"
        return name, None

    return rename
