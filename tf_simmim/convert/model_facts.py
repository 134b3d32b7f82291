"""What a person knows of a model that its weights do not say."""

import dataclasses

from tf_simmim import sizes
from tf_simmim.backbones import vit


@dataclasses.dataclass(frozen=True)
class ModelFacts:
    """Facts about a model beside its weights; None where they are unknown.

    Args:
        image_size: int or (height, width), px.
        num_heads: int > 0. Of a ViT; a Swin's are in its weights.
        window_size: int or (height, width), cells. Of a Swin.
        epsilon: float > 0. Of every LayerNorm.
        absolute_position: "none", "learned" or "sincos". Of a ViT. Weights
            that hold no positions are taken to need other ones, such as
            rotary ones, unless it is "none" or "sincos".

    Raises:
        ValueError: a number is not positive, or `absolute_position` is none of
            these.
    """

    image_size: int | tuple[int, int] | None = None
    num_heads: int | None = None
    window_size: int | tuple[int, int] | None = None
    epsilon: float | None = None
    absolute_position: str | None = None

    def __post_init__(self):
        for name in ("image_size", "window_size"):
            if getattr(self, name) is not None:
                sizes.as_pair(getattr(self, name), name)
        for name in ("num_heads", "epsilon"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(
                    f"`{name}` must be positive. Received: {value}."
                )

        if self.absolute_position not in (None, *vit.ABSOLUTE_POSITIONS):
            raise ValueError(
                f"`absolute_position` must be one of {vit.ABSOLUTE_POSITIONS}. "
                f"Received: {self.absolute_position!r}."
            )

    def size(self, name: str) -> tuple[int, int] | None:
        """Returns `image_size` or `window_size` as a pair, if it is known."""
        value = getattr(self, name)
        return None if value is None else sizes.as_pair(value, name)
