"""One thing that an export was looked at for."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Check:
    """The result of a check.

    Attributes:
        name: str. What was looked at.
        problems: tuple of str. What is wrong, none if nothing is.
        detail: str. What was found, for people.
        skipped: bool. It could not be made; `detail` says why.
    """

    name: str
    problems: tuple[str, ...] = ()
    detail: str = ""
    skipped: bool = False

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def line(self) -> str:
        """Returns the check as one line of text."""
        state = "skip" if self.skipped else "ok" if self.passed else "FAIL"
        said = "; ".join(self.problems) or self.detail
        # What a graph is called may come from a stranger.
        said = said.encode("unicode_escape").decode()
        return f"{state:<5}{self.name}{': ' if said else ''}{said}"
