"""A report on the images of a source, for people."""

import collections

from tf_simmim.data.inspection import finding
from tf_simmim.data.sources import folder_tree

_HEADINGS = {
    finding.BAD: (
        "BAD",
        "In a folder, training replaces a few, then stops; in record files, "
        "it\nstops at the first.",
    ),
    finding.SHARED: (
        "SHARED",
        "The held-out loss and scores would be too good.",
    ),
    finding.ODD: ("ODD", "Training takes these; have a look at them."),
    finding.LEFT_OUT: ("LEFT OUT", "Training never sees these."),
}


_NUM_KINDS = 8


class Report:
    """Collects findings and prints them: first how many, then which.

    Attributes:
        num_bad: int, bad images.
        num_shared: int, images that are in train and in validation.
    """

    def __init__(self):
        self._found = collections.defaultdict(list)

    def add(self, found) -> None:
        """Adds a `Finding`."""
        self._found[found.reason].append(found)

    @property
    def num_bad(self) -> int:
        return self._count(finding.BAD)

    @property
    def num_shared(self) -> int:
        return self._count(finding.SHARED)

    @property
    def is_clean(self) -> bool:
        """Whether there is nothing bad, and nothing shared."""
        return not self.num_bad and not self.num_shared

    def _count(self, grade):
        return sum(
            len(found)
            for reason, found in self._found.items()
            if finding.REASONS[reason][0] == grade
        )

    def text(self, show: int | None = None) -> str:
        """Returns how many of each reason, the gravest first, then which.

        Args:
            show: int >= 0, files to name of each reason; None for all.
        """
        return "\n\n".join(filter(None, [self._counts(), self._files(show)]))

    def verdict(self) -> str:
        """Returns one sentence."""
        if self.is_clean:
            return "Clean: no bad image, none in both train and validation."
        parts = []
        if self.num_bad:
            parts.append(_number(self.num_bad, "bad image"))
        if self.num_shared:
            text = _number(self.num_shared, "image")
            parts.append(f"{text} in both train and validation")
        return f"Not clean: {', '.join(parts)}."

    def _counts(self):
        lines = []
        for grade, (heading, meaning) in _HEADINGS.items():
            reasons = self._reasons(grade)
            if not reasons:
                continue
            lines += ["", f"{heading}: {meaning}"]
            for reason, title in reasons:
                found = self._found[reason]
                lines.append(f"{len(found):>8,}  {title}{_kinds(found)}")
        return "\n".join(lines[1:])

    def _files(self, show):
        lines = []
        for grade in _HEADINGS:
            for reason, title in self._reasons(grade):
                found = self._found[reason]
                shown = found[:show]
                if not shown:
                    continue
                lines += ["", f"{title} ({len(found):,})"]
                names = [folder_tree.printable(one.path) for one in shown]
                width = max(map(len, names))
                for name, one in zip(names, shown, strict=True):
                    lines.append(f"    {name:{width}}  {one.detail}".rstrip())
                if len(found) > len(shown):
                    lines.append(f"    and {len(found) - len(shown):,} more")
        return "\n".join(lines[1:])

    def _reasons(self, grade):
        return [
            (reason, title)
            for reason, (of_grade, title) in finding.REASONS.items()
            if of_grade == grade and reason in self._found
        ]


def _kinds(found):
    """Returns how many of each suffix there are, of files left out by it."""
    if found[0].reason != "other_suffix":
        return ""
    counts = collections.Counter(one.detail for one in found)
    common = [f"{kind} {n:,}" for kind, n in counts.most_common(_NUM_KINDS)]
    if len(counts) > _NUM_KINDS:
        common.append("...")
    return f" ({', '.join(common)})"


def _number(count, noun):
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
