"""What a pruned network may have: a size, or a distance from the original."""

import dataclasses
import math

KINDS = ("params", "flops", "kl")


@dataclasses.dataclass(frozen=True)
class Target:
    """What a pruned network may have: a size, or a distance.

    Attributes:
        kind: "params" or "flops", of the original's; or "kl".
        value: float. A share in (0, 1], or nats of 0 or more.
    """

    kind: str
    value: float

    @classmethod
    def parse(cls, text: str) -> "Target":
        """Returns the target of a text, such as "params:0.4".

        Raises:
            ValueError: it is none, or a share is not in (0, 1].
        """
        kind, _, number = str(text).partition(":")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        is_share = 0 < value <= 1
        is_kl = kind == "kl" and 0 <= value < math.inf
        if kind not in KINDS or not (is_kl or kind != "kl" and is_share):
            raise ValueError(
                "`target` must be params:SHARE or flops:SHARE, of the "
                "original's and in (0, 1], or kl:NATS, of 0 or more. "
                f"Received: {text}."
            )
        return cls(kind, value)
