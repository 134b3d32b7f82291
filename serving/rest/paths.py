"""What a path asks for: model, version or label, and what is to be done."""

import dataclasses
import re
import urllib.parse

from serving import errors
from serving import version_policy

_MODEL = r"/v1/models"
_WHICH = r"(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
# As in TensorFlow Serving: on the path as it is sent, in any case of letters.
_POST = re.compile(
    rf"{_MODEL}/(?P<name>[^/:]+){_WHICH}:(?P<method>classify|regress|predict)",
    re.IGNORECASE,
)
_GET = re.compile(
    rf"{_MODEL}(?:/(?P<name>[^/:]+))?{_WHICH}(?:/(?P<method>metadata))?",
    re.IGNORECASE,
)
_API = re.compile("/v1/.*", re.IGNORECASE | re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Target:
    """What a request is for.

    Attributes:
        method: str. "predict", "classify", "regress", "status" or "metadata".
        name: str. Of the model; never part of a path of files.
        version: int or None.
        label: str or None.
    """

    method: str
    name: str
    version: int | None = None
    label: str | None = None


def is_api(path: str) -> bool:
    """Whether a path is one of the contract's."""
    return _API.fullmatch(path) is not None


def parse(http_method: str, path: str) -> Target:
    """Returns what a request is for.

    Args:
        http_method: str, such as "GET".
        path: str. As sent, without a query; percent signs not decoded.

    Raises:
        ServingError: the path is none of the contract's (INVALID_ARGUMENT).
    """
    pattern = {"POST": _POST, "GET": _GET}.get(http_method)
    match = pattern and pattern.fullmatch(path)
    if not match:
        raise errors.invalid_argument(
            f"Malformed request: {http_method} {path}"
        )
    name, version = match["name"], match["version"]
    if version is not None:
        # int() of a very long text takes time.
        if len(version) > 30 or int(version) > version_policy.MAX_VERSION:
            raise errors.invalid_argument(
                f"Failed to convert version: {version} to numeric."
            )
        version = int(version)
    if not name:
        raise errors.invalid_argument("Missing model name in request.")
    return Target(
        method=(match["method"] or "status").lower(),
        name=_decode(name),
        version=version,
        label=match["label"] and _decode(match["label"]),
    )


def _decode(text):
    return urllib.parse.unquote(text, errors="surrogateescape")
