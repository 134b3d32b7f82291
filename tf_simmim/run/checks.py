"""Checks of fields in files that a stranger may have written.

Each refuses with one sentence: the field, its rule, what was received.
"""

import sys

_SHOWN = 100  # characters of a value that is refused


def require(is_right: bool, field: str, rule: str, received) -> None:
    """Refuses a value.

    Args:
        is_right: bool. False to refuse.
        field: str. Which field of the file, such as `input.mean`.
        rule: str. What it must be.
        received: what is there.

    Raises:
        ValueError: `is_right` is false.
    """
    if is_right:
        return
    shown = repr(received)
    if len(shown) > _SHOWN:
        shown = f"{shown[:_SHOWN]}..."
    raise ValueError(f"`{field}` must be {rule}. Received: {shown}.")


def require_fields(document, field: str, names) -> None:
    """Refuses what is no object with exactly the fields of these names."""
    require(isinstance(document, dict), field, "an object", document)
    wanted, found = set(names), set(document)
    require(
        wanted == found,
        field,
        f"an object with the fields {', '.join(sorted(wanted))}",
        sorted(map(str, found)),
    )


def is_number(value) -> bool:
    """Whether a value is a finite number, and no truth value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    # Whole numbers in JSON have any number of digits.
    return -sys.float_info.max <= value <= sys.float_info.max


def is_text(value, at_most: int) -> bool:
    """Whether a value is text of at most so many characters."""
    return isinstance(value, str) and len(value) <= at_most


def is_count(value, least: int, at_most: int) -> bool:
    """Whether a value is a whole number within bounds."""
    return type(value) is int and least <= value <= at_most


def as_tuple(value):
    """Returns a list as a tuple, and anything else as it is."""
    return tuple(value) if isinstance(value, list) else value
