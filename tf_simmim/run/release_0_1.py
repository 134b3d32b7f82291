"""Runs of release 0.1.0, which had no run.json: the one place that reads them.

Such a run has its settings as a flagfile (flags.txt), its model's
configuration without a kind (model.json), and both once more in the manifests
of its checkpoints, of which the oldest have neither.
"""

import contextlib
import json
import re
from pathlib import Path

from tf_simmim import atomic_file
from tf_simmim.models import registry
from tf_simmim.run import checks
from tf_simmim.run import settings as settings_text
from tf_simmim.run.data_record import DataRecord
from tf_simmim.run.input_record import InputRecord
from tf_simmim.run.model_record import ModelRecord
from tf_simmim.run.record import RunRecord

_MAX_BYTES = 1 << 20
_MAX_MANIFEST_BYTES = 64 << 20
# What a run did follows from what it trained.
_RUN_KINDS = {
    "simmim": "pretraining",
    "classifier": "fine-tuning",
    "segmenter": "segmentation",
    "detector": "detection",
}
_CONVERTED = "converted weights"
# The argument of `data.EvaluationCrop`, where the settings do not say.
_CROP_FRACTION = 224 / 256


def read_record(folder) -> RunRecord:
    """Returns what the files of a run say, as a `RunRecord`.

    Args:
        folder: path of the run.

    Raises:
        ValueError: a file is not what a run of then has written.
    """
    folder = Path(folder)
    model = model_record(_read_model(folder), folder / "model.json")
    settings = read_settings(folder) or {}
    kind = _RUN_KINDS.get(model.kind, model.kind)
    if (folder / "conversion.json").is_file():
        kind = _CONVERTED
    try:
        return RunRecord(
            kind=kind,
            model=model,
            input=_input(model, settings),
            data=_data(model, settings),
            settings=settings,
            seed=settings.get("seed"),
        )
    except ValueError as error:
        raise ValueError(
            f"{folder} must hold model.json and flags.txt as a run has written "
            f"them; {error}"
        ) from error


def read_settings(folder) -> dict | None:
    """Returns the settings of a run, {} of one that does not say any.

    Of flags.txt; where that is gone, or edited into something else, of the
    newest checkpoint that knows them.

    Args:
        folder: path of the run, which need not be there.

    Returns:
        dict as of `RunRecord.settings`; None for a run that has not begun.

    Raises:
        ValueError: flags.txt is not what a run of then has written, and no
            checkpoint knows them.
    """
    file = Path(folder) / "flags.txt"
    if file.is_file():
        try:
            return _settings(_read_text(file))
        except (OSError, ValueError) as error:
            told = _told_by_checkpoints(folder)
            if told:
                return told
            why = getattr(error, "strerror", None) or str(error)
            raise ValueError(
                f"{file} must be text, a flag (--name=value) in each line, as "
                f"the run has written it; {why.rstrip('.')}."
            ) from error
    return _told_by_checkpoints(folder)


def _told_by_checkpoints(folder):
    """Returns settings, {} where no checkpoint tells, None without any."""
    is_begun = False
    for metadata in _metadata(folder):
        is_begun = True
        settings = settings_of_checkpoint(metadata)
        if settings is not None:
            return settings
    return {} if is_begun else None


def settings_of_checkpoint(metadata) -> dict | None:
    """Returns the settings that a checkpoint's manifest holds, of any release.

    Args:
        metadata: dict. The manifest's.

    Returns:
        dict as of `RunRecord.settings`; None where it holds none.

    Raises:
        ValueError: they are no settings.
    """
    if "settings" in metadata:
        settings_text.require_settings(metadata["settings"], "settings")
        return metadata["settings"]
    if "flags" in metadata:
        return _settings(str(metadata["flags"]))
    return None


def model_record(document, file) -> ModelRecord:
    """Returns which model a configuration is of, of any release.

    Args:
        document: what model.json, or a checkpoint's manifest, says. Without a
            `kind`, one with `ignore_label` is a segmenter's, one with
            `num_convolutions` a detector's, another with `num_classes` a
            classifier's.
        file: path of the file that it was in, for errors.

    Raises:
        ValueError: it describes no model.
    """
    try:
        if isinstance(document, dict) and "kind" in document:
            return ModelRecord.from_json(document)
        kind = "simmim"
        if isinstance(document, dict) and "num_classes" in document:
            kind = "classifier"
            if "ignore_label" in document:
                kind = "segmenter"
            elif "num_convolutions" in document:
                kind = "detector"
        return ModelRecord(kind, document)
    except ValueError as error:
        raise ValueError(
            f"`path` must hold a {Path(file).name} that tf_simmim has written. "
            f"Received: {file}; {error}"
        ) from error


def _settings(text):
    """Returns the settings of a flagfile as runs have written it.

    Or as people have edited it: absl takes indented lines, comments with #
    and //, and a value in the line behind its flag.
    """
    settings, lines = {}, []
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith(("#", "//")):
            continue
        if lines and re.fullmatch(r"--\w+", lines[-1]) and line[0] != "-":
            lines[-1] += f"={line}"
        else:
            lines.append(line)
    for line in lines:
        found = re.fullmatch(r"--(\w+)(?:=(.*))?", line)
        checks.require(found is not None, "line", "--name=value", line)
        name, value = found.groups()
        if value is not None:
            settings[name] = settings_text.from_text(value)
        else:  # of a flag that is true or false
            settings[name.removeprefix("no")] = not name.startswith("no")
    settings_text.require_settings(settings, "flags.txt")
    return settings


def _input(model, settings):
    config = model.config.get("backbone")
    config = config.get("config") if isinstance(config, dict) else None
    checks.require(
        isinstance(config, dict), "model", "one with a backbone", model.config
    )
    size = config.get("image_size")
    if not isinstance(size, list):
        size = [size, size]
    channels = config.get("channels", 3)
    mean, std = (
        _numbers(settings, name, channels)
        for name in ("image_mean", "image_std")
    )
    crop = {"name": registry.find(model.kind).crop}
    if crop["name"] == "EvaluationCrop":
        (crop["crop_fraction"],) = _numbers(settings, "crop_fraction", 1) or (
            _CROP_FRACTION,
        )
    return InputRecord(size, channels, mean=mean, std=std, crop=crop)


def _numbers(settings, name, count):
    """Returns the numbers of a setting, or None where it is not there."""
    if name not in settings:
        return None
    values = settings[name]
    values = values if isinstance(values, list) else [values]
    try:
        # Not all numbers are written as `str` writes them: 1e-3, .5, 0.50.
        numbers = [
            float(part) for value in values for part in str(value).split(",")
        ]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise ValueError(
            f"flags.txt must have {count} numbers for --{name}. "
            f"Received: {','.join(map(str, values))}."
        )
    return tuple(numbers)


def _data(model, settings):
    if not settings.get("dataset"):
        return None
    splits = {"training": "split", "held_out": "validation_split"}
    return DataRecord(
        name=str(settings["dataset"]),
        splits={
            part: str(settings[name])
            for part, name in splits.items()
            if name in settings
        },
        class_names=model.config.get("class_names"),
    )


def _read_model(folder):
    """Returns the configuration in model.json, or in the newest checkpoint."""
    file = folder / "model.json"
    try:
        return json.loads(_read_text(file))
    except (OSError, ValueError, RecursionError) as error:
        for metadata in _metadata(folder):
            if "model" in metadata:
                return metadata["model"]
        why = getattr(error, "strerror", None) or "it is not JSON"
        raise ValueError(
            f"`path` must hold a model.json that tf_simmim has written. "
            f"Received: {file}; {why}."
        ) from error


def _read_text(file):
    content = atomic_file.read_bytes(file, _MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError(f"it has more than {_MAX_BYTES} bytes")
    return content.decode("utf-8")


def _metadata(folder):
    """Yields what the manifests of a run's checkpoints say, newest first."""
    manifests = sorted(Path(folder).glob("checkpoints/step-*/manifest.json"))
    for manifest in reversed(manifests):
        with contextlib.suppress(
            OSError, ValueError, LookupError, TypeError, RecursionError
        ):
            # One that is larger is cut, and no JSON.
            content = atomic_file.read_bytes(manifest, _MAX_MANIFEST_BYTES)
            metadata = json.loads(content)["metadata"]
            if isinstance(metadata, dict):
                yield metadata
