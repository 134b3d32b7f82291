"""The steps that a chain of compressions can have, in one table.

A step takes a run's folder and leaves a run's folder, with the report that
compares it with the original of the chain.
"""

import dataclasses
import math
from collections.abc import Callable

from tf_simmim.compression import narrowing
from tf_simmim.programs import prune_step
from tf_simmim.programs import quantise_step

GATES = ("max_kl", "max_accuracy_drop")


@dataclasses.dataclass(frozen=True)
class StepKind:
    """A row of the table.

    Attributes:
        run: function (folder, original, target, options) -> None: makes of the
            run in `folder` a smaller one in `target`, which does not exist,
            with its compression.json, in which it is compared with the run in
            `original`.
        options: {name: default}; a value that is given has the default's type.
        check_options: function (options) -> None, which raises ValueError
            where a value is none that the step can be asked for with.
        check_model: function (model) -> None, which raises ValueError where
            the step does not work for the model of a run.
        is_last: bool. Whether no other step can follow.
    """

    run: Callable
    options: dict
    check_options: Callable
    check_model: Callable
    is_last: bool = False


KINDS = {
    "prune": StepKind(
        prune_step.run,
        prune_step.OPTIONS,
        prune_step.check_options,
        narrowing.parts_of,
    ),
    "quantise": StepKind(
        quantise_step.run,
        quantise_step.OPTIONS,
        quantise_step.check_options,
        quantise_step.check_model,
        is_last=True,
    ),
}


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of a chain, as a line of a flagfile says it.

    Attributes:
        text: str. The line.
        name: str of `KINDS`.
        options: {name: value}, all that the kind has.
        gates: {name of `GATES`: float}: what must not be exceeded.
    """

    text: str
    name: str
    options: dict
    gates: dict


def parse(text: str, gates=None) -> Step:
    """Returns the step of a line: its name, and `option=value` words.

    Args:
        text: str, such as "prune target=params:0.4 max_kl=0.01".
        gates: {name of `GATES`: float, or None}: of lines that say no other.

    Raises:
        ValueError: there is no such step or option, or a value is none.
    """
    name, *words = text.split() or [""]
    if name not in KINDS:
        raise ValueError(
            f"A step must begin with one of {', '.join(KINDS)}. "
            f"Received: --step={text}."
        )
    options = dict(KINDS[name].options)
    limits = {key: value for key, value in (gates or {}).items()}
    for word in words:
        key, separator, value = word.partition("=")
        if not separator or key not in (*options, *GATES):
            known = ", ".join([*options, *GATES])
            raise ValueError(
                f"A step of {name} must have words option=value, with the "
                f"options {known}. Received: {word!r} in --step={text}."
            )
        if key in GATES:
            limits[key] = _as_type(0.0, value, word, text)
        else:
            options[key] = _as_type(options[key], value, word, text)
    limits = {key: value for key, value in limits.items() if value is not None}
    for key, value in limits.items():
        if not 0 <= value < math.inf:
            raise ValueError(
                f"{key} must be a number of 0 or more. "
                f"Received: {key}={value} for --step={text}."
            )
    KINDS[name].check_options(options)
    return Step(text, name, options, limits)


def parse_all(texts, gates=None) -> list[Step]:
    """Returns the steps of lines, in their order.

    Raises:
        ValueError: as `parse`; there is none, or a step follows one that must
            be the last.
    """
    steps = [parse(text, gates) for text in texts]
    if not steps:
        raise ValueError(
            "Name the steps: --step='prune target=params:0.4' "
            "--step=quantise, or a flagfile of such lines."
        )
    for step in steps[:-1]:
        if KINDS[step.name].is_last:
            raise ValueError(
                f"{step.name} must be the last step: it leaves nothing that "
                f"another could make smaller. Received: {', '.join(texts)}."
            )
    return steps


def _as_type(default, value, word, text):
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[value]
        return type(default)(value)
    except (KeyError, ValueError) as error:
        kind = "true or false" if isinstance(default, bool) else "a number"
        raise ValueError(
            f"An option must be {kind} where its default is one. "
            f"Received: {word!r} in --step={text}."
        ) from error
