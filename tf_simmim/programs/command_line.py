"""Flagfiles, resolved flags and plain errors, for every program here."""

import contextlib
import errno
import os
import pathlib
import re
import sys

import tensorflow as tf
from absl import app
from absl import flags
from absl import logging

from tf_simmim import data
from tf_simmim import training

_FLAGS = "tf_simmim.programs.flags"
_EXPERIMENTS = pathlib.Path(__file__).parents[2] / "experiments"
_FOLDERS = (_EXPERIMENTS, _EXPERIMENTS / "flags")
# Flags that flags.txt of runs of version 0.1.0 may set for programs that never
# had a use for them.
RETIRED = ("evaluate_every", "evaluate_blocks")
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# TensorFlow adds which of its operations it was.
_OPERATION = re.compile(r"^\{\{.*?\}\}\s*|\s*\[(\[\{\{|Op:).*")


def run(
    main,
    argv: list[str],
    *,
    program=None,
    flag_groups=(),
    flag_defaults=None,
    may_lose_output: bool = False,
) -> None:
    """Runs a program as `app.run` does, with what every program here needs.

    Flagfiles are looked up (`resolve`). What it prints and logs must not end
    it: see `training.SurvivingStream`. Letters that the locale does not have
    are printed as escapes.

    Args:
        main: function of the arguments that are left over.
        argv: list of str. The command line, program name first.
        program: module whose docstring and flags --help shows. Default: the
            one of `main`.
        flag_groups: sequence of modules, whose flags it takes as well.
        flag_defaults: dict {name: default of that flag in this program}.
        may_lose_output: whether it has done what it is for also where what it
            printed was lost, on a full disk: what it leaves are files.

    Raises:
        SystemExit: it has ended.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, training.SurvivingStream(stream))
    logging.get_absl_handler().python_handler.stream = sys.stderr
    take_flags(flag_groups, flag_defaults or {})
    _show_in_help(program or sys.modules[main.__module__], flag_groups)
    argv = resolve(argv)
    require_utf_8(argv)

    def main_with_output(arguments):
        code = None
        try:
            code = main(arguments)
        except SystemExit as ended:
            if ended.code:
                raise
        sys.stdout.flush()
        if sys.stdout.loss is not None and not may_lose_output:
            sys.exit(
                "Error: what was printed could not be written "
                f"({sys.stdout.loss})."
            )
        return code

    app.run(main_with_output, argv=argv)


def take_flags(flag_groups, flag_defaults) -> None:
    """Makes groups of flags those of this process, with a program's defaults.

    To be called before flags are parsed.

    Args:
        flag_groups: sequence of modules that define flags.
        flag_defaults: dict {name of a flag: default}.
    """
    for group in flag_groups:
        for flag in flags.FLAGS.get_flags_for_module(group):
            flags.FLAGS.register_key_flag_for_module(_FLAGS, flag)
    for name, value in flag_defaults.items():
        flags.FLAGS.set_default(name, value)


def _show_in_help(program, flag_groups):
    """Lets --help describe a program, and not the file that launches it."""
    sys.modules["__main__"].__doc__ = program.__doc__
    for flag in flags.FLAGS.get_key_flags_for_module(program):
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
    for group in flag_groups:
        for flag in flags.FLAGS.get_flags_for_module(group):
            flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)


def require_utf_8(argv: list[str]) -> None:
    """Refuses letters beyond ASCII where the locale is not UTF-8.

    Python has names of files in the encoding of the locale, and TensorFlow in
    UTF-8: each would look for another file.

    Args:
        argv: list of str. A command line, from `resolve`.

    Raises:
        SystemExit: an argument, or a line of a flagfile that it names, has
            such letters; the message has it and the encoding.
    """
    encoding = sys.getfilesystemencoding()
    if encoding == "utf-8":
        return
    given = [os.fsencode(argument) for argument in argv]
    seen = set()
    for i, argument in enumerate(given):  # which grows
        name, separator, file = argument.strip().partition(b"=")
        if name.lstrip(b"-") != b"flagfile":
            continue
        if not separator:
            file = b"".join(given[i + 1 : i + 2])
        if os.path.isfile(file) and file not in seen:
            seen.add(file)
            given += pathlib.Path(os.fsdecode(file)).read_bytes().splitlines()
    for argument in given:
        if not argument.isascii():
            sys.exit(
                "Arguments must be plain ASCII where the locale is not UTF-8. "
                f"Received: {argument.decode('utf-8', 'replace')}, and the "
                f"encoding {encoding}; set PYTHONUTF8=1, or a locale such as "
                "LC_ALL=C.UTF-8."
            )


def resolve(argv: list[str]) -> list[str]:
    """Returns `argv` with every flagfile named by a path that exists.

    A relative `--flagfile` that is not in the working directory is looked up
    in `experiments/` and `experiments/flags/`. (One inside a flagfile is not:
    it is relative to the working directory, as absl has it.) And an empty
    value, `--num_labels=`, from here on stands for the default of a flag that
    has none, such as after a flagfile that sets it.

    Args:
        argv: list of str. A command line, program name first.

    Raises:
        SystemExit: a flagfile is nowhere; the message says where it was
            looked for.
    """
    for name in flags.FLAGS:
        flag = flags.FLAGS[name]
        if flag.default is None and flag.flag_type() != "string":
            flag.parser = _OrNone(flag.parser)
    resolved = []
    names_a_file = False
    for argument in argv:
        name, separator, value = argument.partition("=")
        if names_a_file:
            argument = str(_find(argument))
        elif separator and name in ("--flagfile", "-flagfile"):
            argument = f"{name}={_find(value)}"
        names_a_file = argument in ("--flagfile", "-flagfile")
        resolved.append(argument)
    return resolved


class _OrNone(flags.ArgumentParser):
    """A parser of absl that takes nothing for None."""

    def __init__(self, parser):
        self._parser = parser
        self.syntactic_help = parser.syntactic_help

    def parse(self, argument):
        return None if argument == "" else self._parser.parse(argument)

    def flag_type(self):
        return self._parser.flag_type()

    def __getattr__(self, name):
        return getattr(self._parser, name)


def _find(name):
    path = pathlib.Path(name).expanduser()
    candidates = [path, *(folder / path for folder in _FOLDERS)]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    known = sorted(file.name for file in _FOLDERS[1].glob("*.flags"))
    sys.exit(
        f"There is no flagfile {name}: looked for "
        f"{', '.join(str(c) for c in candidates)}. "
        f"Flagfiles that come with the project: {', '.join(known)}."
    )


def with_retired_flags(argv: list[str]) -> list[str]:
    """Returns `argv`, so that flags that have gone (`RETIRED`) are no error.

    Args:
        argv: list of str. A command line, program name first.
    """
    return [argv[0], f"--undefok={','.join(RETIRED)}", *argv[1:]]


def refuse_leftovers(argv: list[str]) -> None:
    """Stops when words are left over that no flag has taken.

    A word without dashes, such as an indented comment of a flagfile, would
    otherwise be ignored in silence.

    Args:
        argv: list of str. What absl left over, program name first.

    Raises:
        SystemExit: there is more than the program name.
    """
    if len(argv) > 1:
        sys.exit(
            "Every argument must be a flag (--name=value); in a flagfile, "
            "comments start in the first column. "
            f"Received: {' '.join(argv[1:])!r}."
        )


@contextlib.contextmanager
def plain_errors():
    """Ends the program with the error's sentence, without a traceback.

    For setting up alone, where an error is about what the user asked for; an
    error while training keeps its traceback. Also a decorator.

    Raises:
        SystemExit: in the place of the errors that the library documents, and
            of files that cannot be read or written.
    """
    try:
        yield
    except (
        ValueError,
        ImportError,
        FloatingPointError,
        data.DamagedRecordsError,
        data.TooManyBadImagesError,
        training.CheckpointWriteError,
        training.NoValidCheckpointError,
    ) as error:
        sys.exit(f"Error: {error}")
    except OSError as error:
        why = error.strerror or str(error) or type(error).__name__
        if isinstance(error.filename, str | bytes | os.PathLike):
            why = f"{os.fsdecode(error.filename)}: {why}"
        _exit(why, error.errno in _FULL_DISK)
    except tf.errors.OpError as error:
        lines = _OPERATION.sub("", error.message.strip()).splitlines()
        why = lines[0] if lines else type(error).__name__
        full = [os.strerror(number) for number in _FULL_DISK]
        _exit(why, any(text in error.message for text in full))


def _exit(why, is_full):
    why = why.strip().rstrip(".")
    if is_full:
        sys.exit(
            f"Error: the disk, or this user's share of it, is full ({why}). "
            "Make room and run the same command again."
        )
    sys.exit(f"Error: {why}.")


def own_flags() -> list[flags.Flag]:
    """Returns the flags that describe a run, absl's and others left out."""
    own = {
        flag.name: flag for flag in flags.FLAGS.get_key_flags_for_module(_FLAGS)
    }
    for module, defined in flags.FLAGS.flags_by_module_dict().items():
        if module.startswith(f"{_FLAGS}."):
            own |= {flag.name: flag for flag in defined}
    return [own[name] for name in sorted(own)]
