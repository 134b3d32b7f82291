"""What became of every weight when a backbone was filled from another."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class TransferReport:
    """Names of weights, below the name of the network that they are of.

    Attributes:
        copied: tuple of str. Of the target: taken as they were.
        resampled: tuple of str. Of the target: taken for another grid or
            window.
        cloned: tuple of str. Of the target: each a copy of one table that the
            source has for all blocks; resampled as well where the grid is
            another one.
        left: tuple of str. Of the source: no part of the target.
        fresh: tuple of str. Of the target: as they were before.
    """

    copied: tuple[str, ...]
    resampled: tuple[str, ...] = ()
    cloned: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()

    def summary(self) -> str:
        """Returns one line: counts of what was taken, names of the rest."""
        parts = [f"{len(self.copied)} weights copied"]
        if self.resampled:
            parts.append(f"{len(self.resampled)} resampled")
        if self.cloned:
            parts.append(f"{len(self.cloned)} cloned from one for all blocks")
        for what, names in (("left", self.left), ("fresh", self.fresh)):
            if names:
                parts.append(f"{what}: {', '.join(names)}")
        return "; ".join(parts) + "."
