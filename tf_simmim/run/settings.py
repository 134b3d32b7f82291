"""The settings of a run: a table of names and plain values.

A value is a bool, a number, a text or a list of numbers and texts. Each has
one text, that of a flagfile, from which it comes back the same.
"""

import contextlib

from tf_simmim.run import checks

_MAX_SETTINGS = 1000
_MAX_TEXT = 1 << 20  # characters, or entries of a list


def require_settings(settings, field: str) -> None:
    """Refuses what is no table of settings.

    Args:
        settings: anything.
        field: str. Where it is, for the message.

    Raises:
        ValueError: as said; the message names the setting.
    """
    checks.require(
        isinstance(settings, dict) and len(settings) <= _MAX_SETTINGS,
        field,
        f"an object of at most {_MAX_SETTINGS} settings",
        settings,
    )
    for name, value in settings.items():
        checks.require(
            isinstance(name, str) and name.isidentifier(),
            field,
            "an object of settings with plain names",
            name,
        )
        values = value if isinstance(value, list) else [value]
        checks.require(
            len(values) <= _MAX_TEXT
            and all(
                isinstance(v, bool)
                or checks.is_number(v)
                or checks.is_text(v, _MAX_TEXT)
                for v in values
            ),
            f"{field}.{name}",
            "a number, a text, true or false, or a list of these",
            value,
        )


def number_or_text(text: str) -> int | float | str:
    """Returns the number that `str` writes as `text`, or `text`."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            number = kind(text)
            if str(number) == text and checks.is_number(number):
                return number
    return text


def from_text(text: str):
    """Returns the value that a flagfile says in letters: "1,2" is [1, 2].

    Lists of anything but numbers stay text: `as_text` of both is the same.
    """
    if text in ("True", "False", "true", "false"):
        return text.lower() == "true"
    parts = [number_or_text(part) for part in text.split(",")]
    if any(isinstance(part, str) for part in parts):
        return text
    return parts if len(parts) > 1 else parts[0]


def as_text(value) -> str:
    """Returns a value in the letters of a flagfile."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)
