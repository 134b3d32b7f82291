"""The settings of a run: from flags into its record, and back into flags."""

import math
import re
import sys

from absl import flags

from tf_simmim import run
from tf_simmim import training
from tf_simmim.programs import command_line
from tf_simmim.programs.flags import data_flags
from tf_simmim.run import settings as letters

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def current(decided=()) -> dict:
    """Returns the value of every flag that describes a run and has one.

    As `run.RunRecord.settings` has them: lists of what are numbers as such.

    Args:
        decided: dict {name of a flag: value in the place of its own}, as of
            `data_flags.decided`.
    """
    values = {flag.name: flag.value for flag in command_line.own_flags()}
    values |= decided or {}
    return {
        name: _plain(value)
        for name, value in values.items()
        if value is not None
    }


def elsewhere(settings: dict) -> dict:
    """Returns settings of a run for another one: without where it was."""
    own = ("workdir", "name")
    return {name: value for name, value in settings.items() if name not in own}


def as_flagfile(settings: dict) -> str:
    """Returns settings as the text of a flagfile, for people to use again."""
    return "".join(f"{_line(*item)}\n" for item in settings.items())


def _plain(value):
    if isinstance(value, list):
        return [letters.number_or_text(part) for part in value]
    return value


def record_of(task, context, model) -> run.RunRecord:
    """Returns what a run that trains is.

    Args:
        task: `Task`.
        context: `RunContext`.
        model: model of the phase that it is in.
    """
    source, backbone = context.source, model.backbone
    return run.RunRecord(
        kind=task.run_kind,
        model=run.ModelRecord.of(model),
        input=run.InputRecord(
            image_size=backbone.image_size,
            channels=backbone.channels,
            mean=context.normalization.mean,
            std=context.normalization.std,
            crop=run.describe_crop(task.evaluation_crop(backbone.image_size)),
        ),
        data=run.DataRecord(
            name=source.name,
            digest=source.digest(),
            splits=data_flags.split_names(),
            num_images=len(source),
            num_labelled=len(source) if task.uses_labels else 0,
            class_names=(
                source.class_names
                or source.segmentation_class_names
                or source.box_class_names
            )
            if task.uses_labels
            else None,
        ),
        settings=current(context.decided),
        seed=context.seed,
        versions=training.describe_environment()["packages"],
    )


def with_settings(argv: list[str], flag: str, names) -> list[str]:
    """Returns `argv` with settings of the run that a flag names put first.

    A program that looks at a run so sees what that was trained with; flags
    that are given override it. The folder may be a stranger's, and absl has
    flags that read and write files: settings by any other name are left out.

    Args:
        argv: list of str. A command line, program name first.
        flag: str. Name of the flag that has the run's folder.
        names: set of names of flags, which may be set so.

    Returns:
        list of str; `argv` itself where the flag is not given.

    Raises:
        SystemExit: it is given, and not the folder of a run.
    """
    folder = folder_of(argv, flag)
    if folder is None:
        return argv
    try:
        settings = run.read_settings(folder)
    except ValueError as error:
        sys.exit(f"Error: {error}")
    if settings is None:
        sys.exit(
            f"--{flag} must be the folder of a run, which has a run.json or, "
            f"of older ones, a flags.txt. Received: {folder}."
        )
    lines = [
        f"--{name}={letters.as_text(value)}"
        for name, value in settings.items()
        if name in names
    ]
    return [argv[0], *lines, *argv[1:]]


def folder_of(argv: list[str], flag: str) -> str | None:
    """Returns what a flag has on a command line, None without it."""
    folder = None
    for i, argument in enumerate(argv):
        name, separator, value = argument.partition("=")
        if name in (f"--{flag}", f"-{flag}"):
            folder = value if separator else "".join(argv[i + 1 : i + 2])
    return folder


def require_same(before: dict, free: set[str], decided=()) -> None:
    """Refuses to continue a run with settings that it did not begin with.

    Args:
        before: the run's settings, as of `current`.
        free: names of flags that may change: where, how long, how often.
        decided: as of `current`.

    Raises:
        ValueError: other flags differ; the message lists them.
    """
    now = current(decided)
    own = {flag.name: flag for flag in command_line.own_flags()}
    changed = []
    for name in sorted((before.keys() | now.keys()) - free):
        flag = own.get(name)
        if name not in before:
            # The run may be older than a flag: its default is how it began.
            if now[name] != _plain(flag.default):
                changed.append(name)
        elif flag is None or _comparable(
            _parsed(flag, before[name])
        ) != _comparable(now.get(name)):
            changed.append(name)
    if changed:
        then, received = (
            [_line(name, table[name]) for name in changed if name in table]
            for table in (before, now)
        )
        raise ValueError(
            "A run continues with the settings that it began with; for others, "
            f"name another --workdir. Then: {' '.join(then) or '(default)'}. "
            f"Received: {' '.join(received) or '(default)'}."
        )


def value_before(before: dict, name: str):
    """Returns the value that a flag had in a run, its default where unknown.

    Args:
        before: the run's settings, as of `current`.
        name: str. Of a flag.
    """
    flag = flags.FLAGS[name]
    if name not in before:
        return flag.default
    return _parsed(flag, before[name])


def _parsed(flag, value):
    """Returns the value of a flag that a setting stands for."""
    try:
        return flag.parser.parse(letters.as_text(value))
    except ValueError:
        return value  # of no value that the flag can have


def _comparable(value):
    """Returns a value in which the letters of numbers make no difference."""
    if isinstance(value, list):
        return [_comparable(part) for part in value]
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return value
    return number if math.isfinite(number) else str(value)


def _line(name, value):
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no{name}"
    return f"--{name}={letters.as_text(value)}"
