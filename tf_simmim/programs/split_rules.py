"""By which rules a run holds images out: those that it began with."""

import contextlib
import json
import os
import pathlib
import re

from absl import flags
from absl import logging

from tf_simmim import atomic_file

# Sources whose rules have changed.
_SCHEMES = ("folder", "segmentation", "coco")
_NEWEST = 2


def choose(flag, dataset):
    """Sets --split_rules, so that a new run's flags.txt has it.

    A run that began before there was such a flag goes on without, also where
    its flags.txt was removed; and so do programs that look at one (--run).

    Args:
        flag: the flag.
        dataset: str. What images are opened of.
    """
    run = _run()
    before = None if run is None else _settings_of(run)
    if before is None:
        flag.value = flag.value or _NEWEST
        return
    found = re.search(rf"(?m)^--{flag.name}=([12])$", before)
    if found or flag.value == _NEWEST:
        flag.value = flag.value or int(found[1])
        return
    flag.value = None  # As in its flags.txt; it means 1.
    if dataset.partition(":")[0] in _SCHEMES:
        logging.warning(
            "%s began before --%s had numbers, so images are held out as then "
            "(docs/own_data.md).",
            run,
            flag.name,
        )


def _run():
    """Returns the folder of the run that a program trains or looks at."""
    if "workdir" in flags.FLAGS:
        default = os.path.join("runs", flags.FLAGS.name)
        return pathlib.Path(flags.FLAGS.workdir or default)
    if "run" in flags.FLAGS and flags.FLAGS.run:
        return pathlib.Path(flags.FLAGS.run)
    return None


def _settings_of(run):
    """Returns the flags of a run as text, None of one that has not begun."""
    file = run / "flags.txt"
    if file.is_file():
        return file.read_text(encoding="utf-8", errors="replace")
    manifests = sorted(run.glob("checkpoints/step-*/manifest.json"))
    for manifest in reversed(manifests):
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            told = json.loads(atomic_file.read_bytes(manifest))
            return str(told["metadata"]["flags"])
    return "" if manifests else None
