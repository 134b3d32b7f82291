"""By which rules a run holds images out: those that it began with."""

import os
import pathlib

from absl import flags
from absl import logging

from tf_simmim import run

# Sources whose rules have changed.
_SCHEMES = ("folder", "segmentation", "coco")
_NEWEST = 2


def choose(flag, dataset):
    """Sets --split_rules, so that a new run's record has it.

    A run that began before there was such a flag goes on without, also where
    that file was removed; and so do programs that look at one (--run).

    Args:
        flag: the flag.
        dataset: str. What images are opened of.
    """
    folder = _run()
    before = None if folder is None else run.read_settings(folder)
    if before is None:
        flag.value = flag.value or _NEWEST
        return
    rules = before.get(flag.name)
    if rules in (1, _NEWEST) or flag.value == _NEWEST:
        flag.value = flag.value or rules
        return
    flag.value = None  # As in its settings; it means 1.
    if dataset.partition(":")[0] in _SCHEMES:
        logging.warning(
            "%s began before --%s had numbers, so images are held out as then "
            "(docs/own_data.md).",
            folder,
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
