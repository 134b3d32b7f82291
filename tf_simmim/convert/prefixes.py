"""Which names in a file are one network's, and what stands before them.

A network is known by its patch embedding. What stands before that name is the
prefix of the whole network: `model.`, `module.backbone.`, or Hugging Face's
`deit.`, beside which its heads stand.
"""

import dataclasses
import re
from collections.abc import Iterable

# Put between names by whatever wraps a module, and no part of a network.
_WRAPPER = (
    "(?:module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)"
)
_WRAPPERS = re.compile(rf"(?<![^.]){_WRAPPER}\.")
_EMBEDDING = re.compile(
    r"((?:.+\.)?)(?:(embeddings\.patch_embeddings\.projection)|"
    r"patch_embed\.proj)\.weight"
)
# The last part of a prefix, beside which heads and decoders stand.
_SIMMIM = re.compile(rf"(?<![^.])encoder\.(?:{_WRAPPER}\.)*$")
_HUGGING_FACE = re.compile(
    r"(?<![^.])(?:vit|swin|deit|beit|dinov2|dinov2_with_registers|"
    rf"data2vec_vision)\.(?:{_WRAPPER}\.)*$"
)
_NUM_NAMED = 8


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a network is found.

    Attributes:
        prefix: str, before its patch embedding.
        outer: str, before its heads: `prefix`, or less.
        is_hugging_face: bool. Whose name the patch embedding has.
    """

    prefix: str
    outer: str
    is_hugging_face: bool

    @property
    def is_simmim(self) -> bool:
        """Whether it is the encoder of the reference's SimMIM."""
        return not self.is_hugging_face and self.outer != self.prefix


@dataclasses.dataclass(frozen=True)
class Division:
    """The names in a file, divided.

    Attributes:
        place: `Place` of the network that is taken.
        names: {name in the file: name without prefix and wrappers}, of the
            network and what stands beside it.
        of_others: names of other networks in the file.
        strangers: names that are of none.
    """

    place: Place
    names: dict[str, str]
    of_others: tuple[str, ...]
    strangers: tuple[str, ...]


def divide(names: Iterable[str], prefix: str | None) -> Division:
    """Finds the network that names are of.

    Args:
        names: names in a file.
        prefix: str, which network to take where there are several: what stands
            before its names, or how that begins; None where there is one.

    Raises:
        ValueError: there is no network, none under `prefix`, or more than one.
    """
    names = list(names)
    places = _places(names)
    if not places:
        raise ValueError(
            "`weights` must be of a ViT or Swin of the reference, timm or "
            "Hugging Face: there is no patch embedding under the name that one "
            f"of them gives it. Received names: {sorted(names)[:_NUM_NAMED]}"
            f"{' ...' if len(names) > _NUM_NAMED else ''}."
        )
    place = _chosen(places, prefix)
    owners = {name: _owner(name, places, place) for name in names}
    return Division(
        place,
        {n: _short(n, place) for n, owner in owners.items() if owner == place},
        tuple(n for n, o in owners.items() if o not in (place, None)),
        tuple(n for n, owner in owners.items() if owner is None),
    )


def _places(names):
    places = set()
    for name in names:
        if match := _EMBEDDING.fullmatch(name):
            prefix, is_hugging_face = match[1], match[2] is not None
            last = _HUGGING_FACE if is_hugging_face else _SIMMIM
            outer = last.sub("", prefix)
            places.add(Place(prefix, outer, is_hugging_face))
    return sorted(places, key=lambda place: place.prefix)


def _chosen(places, prefix):
    fitting = places
    if prefix is not None:
        dotted = prefix if prefix.endswith(".") or not prefix else f"{prefix}."
        fitting = [p for p in places if dotted in (p.prefix, p.outer)]
        if not fitting and prefix:
            fitting = [p for p in places if p.prefix.startswith(prefix)]
    if len(fitting) != 1:
        raise ValueError(
            "`prefix` must say which network to take: patch embeddings stand "
            f"under {', '.join(repr(p.prefix) for p in places)}. "
            f"Received: {prefix!r}."
        )
    return fitting[0]


def _owner(name, places, chosen):
    """Returns the place whose network a name is of, or beside; or None."""
    for kind in ("prefix", "outer"):
        fitting = [p for p in places if name.startswith(getattr(p, kind))]
        if fitting:
            return max(
                fitting, key=lambda p: (len(getattr(p, kind)), p == chosen)
            )
    return None


def _short(name, place):
    start = place.prefix if name.startswith(place.prefix) else place.outer
    return _WRAPPERS.sub("", name.removeprefix(start))
