"""How an answer differs from the one that is expected."""

import math
import re

# Numbers of float32 that were written by different programs.
_RELATIVE_TOLERANCE = 1e-6

# Ways in which messages may differ without being wrong, by name: each makes
# the two alike. See docs/serving.md.
KNOWN_DIFFERENCES = {
    "white space": lambda text: re.sub(r"\s+", "", text),
    "offset in a JSON parse error": lambda text: re.sub(
        r"offset: \d+", "offset:", text
    ),
    "a value that is cut off after 1000 characters": lambda text: text[:900],
}


def of_values(got, expected, part: bool = False, where: str = "") -> str:
    """Returns the first difference of two JSON values, as a sentence.

    1, 1.0 and true are different; floats are equal to 1e-6 of their size.

    Args:
        got: JSON value.
        expected: JSON value.
        part: bool. Whether objects may hold more than is expected.
        where: str. Path of the values, for the sentence.

    Returns:
        str, empty if there is none.
    """
    if isinstance(expected, dict) and isinstance(got, dict):
        keys = set(expected) if part and expected else set(expected) | set(got)
        for key in sorted(keys):
            place = f"{where}.{key}"
            if key not in got:
                return f"{place} is missing"
            if key not in expected:
                return f"{place} is not expected"
            found = of_values(got[key], expected[key], part, place)
            if found:
                return found
        return ""
    if isinstance(expected, list) and isinstance(got, list):
        if len(got) != len(expected):
            return f"{where} has {len(got)} elements, not {len(expected)}"
        pairs = zip(got, expected, strict=True)
        for index, (value, other) in enumerate(pairs):
            found = of_values(value, other, False, f"{where}[{index}]")
            if found:
                return found
        return ""
    if type(got) is not type(expected) or not _equal(got, expected):
        return f"{where} is {got!r}, not {expected!r}".strip()
    return ""


def of_messages(got: str, expected: str, part: bool = False) -> str:
    """Returns how an error message differs, as a sentence, or "".

    Args:
        got: str.
        expected: str.
        part: bool. Whether it is enough that `got` holds `expected`.
    """
    if expected in got if part else got == expected:
        return ""
    return f"it says {got!r}, not {expected!r}"


def known_difference(got: str, expected: str, part: bool = False) -> str:
    """Returns the name of the known difference between messages, or ""."""
    for name, alike in KNOWN_DIFFERENCES.items():
        if not of_messages(alike(got), alike(expected), part):
            return name
    return ""


def _equal(got, expected):
    if isinstance(expected, float):
        return math.isclose(got, expected, rel_tol=_RELATIVE_TOLERANCE)
    return got == expected
