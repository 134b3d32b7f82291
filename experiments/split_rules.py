"""By which rules a run holds images out: those that it began with."""

import os
import pathlib
import re

from absl import flags
from absl import logging

# Sources whose rules have changed.
_SCHEMES = ("folder", "segmentation", "coco")
_NEWEST = 2


def choose(flag, dataset):
    """Sets --split_rules, so that a new run's flags.txt has it.

    A run that began before there was such a flag goes on without.

    Args:
        flag: the flag.
        dataset: str. What images are opened of.
    """
    path = None
    if "workdir" in flags.FLAGS:
        run = flags.FLAGS.workdir or os.path.join("runs", flags.FLAGS.name)
        path = pathlib.Path(run, "flags.txt")
    if path is None or not path.is_file():
        flag.value = flag.value or _NEWEST
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    found = re.search(rf"(?m)^--{flag.name}=([12])$", text)
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
