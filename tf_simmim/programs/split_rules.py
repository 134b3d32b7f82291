"""By which rules a run holds images out: those that it began with."""

import os
import pathlib

from absl import flags
from absl import logging

from tf_simmim.programs import settings_before

# Sources whose rules have changed.
_SCHEMES = ("folder", "segmentation", "coco")
_NEWEST = 2


def of_the_run(given, dataset=""):
    """Returns the rules of the run that a program trains or looks at.

    A run that began before there was --split_rules goes on without, also
    where its record was removed; and so do programs that look at one (--run).

    Args:
        given: int or None. --split_rules.
        dataset: str. What images are opened of; for a line in the log about
            rules from before they had numbers, which is left out without.

    Returns:
        1, 2, or None for a run whose settings name none, which means 1.
    """
    folder = _run()
    before = None if folder is None else settings_before.read(folder)
    if before is None:
        return given or _NEWEST
    rules = before.get("split_rules")
    if rules in (1, _NEWEST) or given == _NEWEST:
        return given or rules
    if dataset.partition(":")[0] in _SCHEMES:
        logging.warning(
            "%s began before --split_rules had numbers, so images are held out "
            "as then (docs/own_data.md).",
            folder,
        )
    return None


def _run():
    """Returns the folder of the run that a program trains or looks at."""
    if "workdir" in flags.FLAGS:
        default = os.path.join("runs", flags.FLAGS.name)
        return pathlib.Path(flags.FLAGS.workdir or default)
    if "run" in flags.FLAGS and flags.FLAGS.run:
        return pathlib.Path(flags.FLAGS.run)
    return None
