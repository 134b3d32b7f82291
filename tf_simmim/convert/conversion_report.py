"""What became of every weight of a file that was converted."""

import dataclasses
import re

# Of names with the same reason, before they share a line.
_MAX_PATTERNS = 8


@dataclasses.dataclass(frozen=True)
class ConversionReport:
    """Every name on both sides, and where each setting is from.

    Attributes:
        naming: str. Whose names the weights had.
        used: {name in the file: the reference's name of the weight it went
            to}. Several names may go to one.
        unused: {name in the file: why}.
        missing: {the reference's name of a weight that the file lacks: what it
            holds instead}.
        notes: {argument of the backbone: where it is from}, for those that
            weights alone do not tell.
        rounded: names in the file whose numbers had more digits than float32.
        prefix: str. What stood before the names of the network in the file.
        changed: {name in the file: how what is used differs from it}.
    """

    naming: str
    used: dict[str, str]
    unused: dict[str, str]
    missing: dict[str, str]
    notes: dict[str, str]
    rounded: tuple[str, ...] = ()
    prefix: str = ""
    changed: dict[str, str] = dataclasses.field(default_factory=dict)

    def as_dict(self) -> dict:
        """Returns everything, for JSON."""
        return dataclasses.asdict(self)

    def text(self) -> str:
        """Returns the report for people: alike names of blocks on one line."""
        lines = [f"{len(self.used)} names used, of {self.naming}."]
        if self.prefix:
            lines.append(
                f"They stood under {self.prefix!r}, which was taken off."
            )
        for title, names in (
            ("Unused", self.unused),
            ("Missing", self.missing),
        ):
            lines.append(f"{title}: {len(names)}.")
            lines += [
                f"  {name}: {why}" for name, why in _by_pattern(names).items()
            ]
        lines += [
            f"Changed: {name} {how}." for name, how in self.changed.items()
        ]
        if self.rounded:
            lines.append(
                f"Rounded to float32: {len(self.rounded)}, e.g. "
                f"{self.rounded[0]}."
            )
        if self.notes:
            lines.append("Not told by weights alone:")
            lines += [f"  {name}: {why}" for name, why in self.notes.items()]
        return "\n".join(lines)


def _by_pattern(names):
    """Returns {name with * for numbers, and how often: why}.

    Many patterns with one reason, as of a decoder, are one line.
    """
    by_reason = {}
    for name, why in names.items():
        pattern = re.sub(r"\b\d+\b", "*", name)
        by_reason.setdefault(why, {}).setdefault(pattern, []).append(name)
    lines = {}
    for why, by_pattern in by_reason.items():
        if len(by_pattern) > _MAX_PATTERNS:
            members = [n for names in by_pattern.values() for n in names]
            lines[f"{members[0]} ... {members[-1]} ({len(members)} names)"] = (
                why
            )
            continue
        for pattern, members in by_pattern.items():
            times = f"{pattern} ({len(members)} times)"
            lines[members[0] if len(members) == 1 else times] = why
    return lines
