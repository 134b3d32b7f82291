"""Reading and writing compression.json, whole or not at all."""

import dataclasses
import json
from pathlib import Path

from tf_simmim import atomic_file
from tf_simmim.compression.agreement import Agreement
from tf_simmim.compression.latency import Latency
from tf_simmim.compression.measurement import WIDTHS
from tf_simmim.compression.measurement import Measurement
from tf_simmim.compression.report import CompressionReport
from tf_simmim.run import checks

FILE_NAME = "compression.json"
FORMAT = "tf_simmim compression"
SCHEMA = 1
_MAX_BYTES = 16 << 20
_MAX_TEXT = 10_000
_MAX_ROWS = 10_000
_MAX_COUNT = 1 << 62


def write_report(folder, report: CompressionReport) -> None:
    """Writes a report to `compression.json`; readers see the old or the new.

    Args:
        folder: path, there already.
        report: `CompressionReport`.

    Raises:
        ValueError: one of its numbers is not finite.
        OSError: it cannot be written.
    """
    text = json.dumps(as_json(report), indent=2, allow_nan=False)
    atomic_file.write_text(Path(folder) / FILE_NAME, f"{text}\n")


def as_json(report: CompressionReport) -> dict:
    """Returns a report as compression.json has it."""
    return {"format": FORMAT, "schema": SCHEMA, **dataclasses.asdict(report)}


def read_report(folder) -> CompressionReport:
    """Returns the report in a folder, which may be a stranger's.

    Raises:
        ValueError: the file is not what `write_report` has written; the
            message names it, the field and the rule.
    """
    file = Path(folder) / FILE_NAME
    try:
        content = atomic_file.read_bytes(file, _MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise ValueError(f"it has more than {_MAX_BYTES} bytes.")
        return from_json(json.loads(content, parse_constant=_refuse_constant))
    except (OSError, ValueError, RecursionError) as error:
        why = str(error)
        if isinstance(error, OSError):
            why = f"{error.strerror or error}."
        elif isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
            why = "it is not JSON."
        raise ValueError(
            f"{file} must be a {FILE_NAME} that tf_simmim has written; {why}"
        ) from error


def from_json(document) -> CompressionReport:
    """Returns the report of what is in a file, or refuses all else.

    Raises:
        ValueError: it is no such object; the message names the field.
    """
    checks.require(isinstance(document, dict), "report", "an object", document)
    schema = document.get("schema")
    checks.require(
        type(schema) is int and schema == SCHEMA,
        "schema",
        f"{SCHEMA}, the one that this version of tf_simmim reads",
        schema,
    )
    names = _names(CompressionReport)
    checks.require_fields(document, "report", ["format", "schema", *names])
    checks.require(
        document["format"] == FORMAT, "format", repr(FORMAT), document["format"]
    )
    values = {name: document[name] for name in names}
    for name in ("step", "kind", "images"):
        _require_text(values[name], name)
    _require_count(values["num_images"], "num_images")
    if values["seed"] is not None:
        is_seed = checks.is_count(values["seed"], -_MAX_COUNT, _MAX_COUNT)
        checks.require(is_seed, "seed", "a whole number", values["seed"])
    for name in ("settings", "machine", "versions"):
        _require_object(values[name], name)
    if values["selection"] is not None:
        _require_object(values["selection"], "selection")
    for name in ("original", "compressed"):
        values[name] = _measurement(values[name], name)
    values["agreement"] = _agreement(values["agreement"])
    return CompressionReport(**values)


def _agreement(document):
    checks.require_fields(document, "agreement", _names(Agreement))
    _require_text(document["of"], "agreement.of")
    _require_number(document["kl"], "agreement.kl")
    _require_number(document["agreement"], "agreement.agreement")
    if document["cka"] is not None:
        _require_number(document["cka"], "agreement.cka")
    return Agreement(**document)


def _measurement(document, field):
    checks.require_fields(document, field, _names(Measurement))
    _require_text(document["runtime"], f"{field}.runtime")
    for name in ("num_threads", "num_weights", "flops", "num_bytes"):
        _require_count(document[name], f"{field}.{name}")
    if document["peak_memory"] is not None:
        _require_count(document["peak_memory"], f"{field}.peak_memory")
    for name in ("latency", "blocks"):
        _require_list(document[name], f"{field}.{name}")
    _require_object(document["scores"], f"{field}.scores")
    for name, value in document["scores"].items():
        _require_number(value, f"{field}.scores.{name}")
    for row in document["blocks"]:
        checks.require_fields(row, f"{field}.blocks", WIDTHS)
        for name, value in row.items():
            _require_count(value, f"{field}.blocks.{name}")
    latencies = []
    for row in document["latency"]:
        checks.require_fields(row, f"{field}.latency", _names(Latency))
        for name, value in row.items():
            _require_number(value, f"{field}.latency.{name}")
        latencies.append(Latency(**row))
    return Measurement(
        **{
            **document,
            "latency": tuple(latencies),
            "blocks": tuple(document["blocks"]),
        }
    )


def _names(cls):
    return [field.name for field in dataclasses.fields(cls)]


def _require_text(value, field):
    checks.require(checks.is_text(value, _MAX_TEXT), field, "text", value)


def _require_number(value, field):
    checks.require(checks.is_number(value), field, "a number", value)


def _require_count(value, field):
    is_count = checks.is_count(value, 0, _MAX_COUNT)
    checks.require(is_count, field, "a whole number of 0 or more", value)


def _require_object(value, field):
    checks.require(isinstance(value, dict), field, "an object", value)


def _require_list(value, field):
    is_list = isinstance(value, list) and len(value) <= _MAX_ROWS
    checks.require(is_list, field, "a list", value)


def _refuse_constant(name):
    raise ValueError(f"its numbers must be finite. Received: {name}.")
