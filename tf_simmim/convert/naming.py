"""Names that other implementations give weights, turned into the reference's.

Known are the reference itself (SimMIM's own code, whose fine-tuned models have
no prefix), timm, and Hugging Face's transformers, before version 5 and since.
Where these differ in more than names:

* Hugging Face keeps queries, keys and values apart; here they are one matrix.
* timm, since 0.9, counts a patch merging to the stage that it begins; the
  reference, Hugging Face and older timm to the stage that it ends.
"""

import dataclasses
import re
from collections.abc import Mapping

import numpy as np

HUGGING_FACE = "Hugging Face"
_COMPUTED = "a constant, which is computed here"
# What is no weight, in any naming.
_CONSTANTS = re.compile(
    r".*\b(relative_position_index|relative_coords_table|attn_mask)"
)
_HUGGING_FACE_START = re.compile(
    r"((?:vit|swin)\.)?embeddings\.patch_embeddings\.projection\.weight"
)
_PARTS = {"q": 0, "k": 1, "v": 2}
# Of a block, after its number: (pattern, the reference's). `\1` is the first
# group; "qkv" stands for the three parts, named by a group of that letter.
_HUGGING_FACE_BLOCK = (
    (r"layernorm_before\.(.+)", r"norm1.\1"),
    (r"layernorm_after\.(.+)", r"norm2.\1"),
    (r"attention\.(?:output\.dense|o_proj)\.(.+)", r"attn.proj.\1"),
    (r"(?:intermediate\.dense|mlp\.fc1)\.(.+)", r"mlp.fc1.\1"),
    (r"(?:output\.dense|mlp\.fc2)\.(.+)", r"mlp.fc2.\1"),
    (
        r"attention\.(?:self|relative_position_bias)\.(relative_position_.+)",
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
    (r"layernorm\.(.+)", r"norm.\1"),
    (r"classifier\.(.+)", r"head.\1"),
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
        weights: {name: array}.
        sources: {name: tuple of the names that it had in the file}.
        constants: {name: array}, of what is no weight.
        unused: {name in the file: why it is no weight of a network here}.
    """

    naming: str
    weights: dict[str, np.ndarray]
    sources: dict[str, tuple[str, ...]]
    constants: dict[str, np.ndarray]
    unused: dict[str, str]


def reference_names(weights: Mapping[str, np.ndarray]) -> Named:
    """Returns weights under the reference's names.

    A name that is not understood stays as it is: whoever builds the network
    sees that it has no such weight.

    Args:
        weights: {name: array}, of the reference, timm or Hugging Face.

    Raises:
        ValueError: there is no patch embedding under any known name; one of
            queries, keys and values is missing, or has another shape; or two
            names mean the same weight.
    """
    names = {name: name for name in weights}  # {name in the file: short name}
    if all(name.startswith("module.") for name in names):
        # PyTorch's parallel training puts it before everything.
        names = {name: name.removeprefix("module.") for name in names}
    short = set(names.values())
    if any(map(_HUGGING_FACE_START.fullmatch, short)):
        naming, rename = HUGGING_FACE, _from_hugging_face
    elif "encoder.patch_embed.proj.weight" in short:
        naming, rename = "SimMIM's reference", _without_encoder
    elif "patch_embed.proj.weight" in short:
        naming, rename = "the reference or timm", _renamer_for_timm(short)
    else:
        raise ValueError(
            "`weights` must be of a ViT or Swin of the reference, timm or "
            "Hugging Face: there is no patch embedding under the name that one "
            f"of them gives it. Received names: {sorted(weights)[:8]}"
            f"{' ...' if len(weights) > 8 else ''}."
        )
    named = Named(naming, {}, {}, {}, {})
    parts = {}
    for name, plain in names.items():
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
    return named


def _join(named, new, by_part, weights):
    """Puts queries, keys and values into one."""
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
    inner = re.sub(r"^(vit|swin)\.", "", name)
    for pattern, start in _HUGGING_FACE_BLOCKS:
        if match := re.fullmatch(pattern, inner, re.ASCII):
            *numbers, rest = match.groups()
            start = start.format(*numbers)
            if part := _HUGGING_FACE_PART.fullmatch(rest):
                letter = part[1] or part[2]
                return f"{start}attn.qkv.{part[3]}", letter
            new = _first_match(_HUGGING_FACE_BLOCK, rest)
            if new is not None:
                return start + new, None
    new = _first_match(_HUGGING_FACE_OTHERS, inner)
    return (name if new is None else new), None


def _first_match(rules, name):
    for pattern, new in rules:
        if match := re.fullmatch(pattern, name, re.ASCII):
            return match.expand(new)
    return None


def _without_encoder(name):
    return name.removeprefix("encoder."), None


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
