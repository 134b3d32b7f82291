"""Pruning as a step of a chain: a run becomes a narrower one."""

from tf_simmim.compression import pruning
from tf_simmim.compression import report_file
from tf_simmim.compression.target import Target
from tf_simmim.programs import pruned_run
from tf_simmim.programs import step_report

OPTIONS = {"target": "params:0.5", "budget": "guided", "images": 512}


def check_options(options) -> None:
    """Raises unless a run can be pruned with these options.

    Args:
        options: {name of `OPTIONS`: value}.

    Raises:
        ValueError: a value is none of those that there are.
    """
    Target.parse(options["target"])
    pruning.require_budget(options["budget"])
    if options["images"] < 2:
        raise ValueError(
            "`images` of prune must be at least 2. "
            f"Received: {options['images']}."
        )


def run(folder, original, target, options) -> None:
    """Prunes a run; see `compression.pruning.prune`.

    Args:
        folder: path of the run.
        original: path of the run that it is compared with.
        target: path of the folder to write, which does not exist.
        options: {name of `OPTIONS`: value}.

    Raises:
        ValueError: as `pruned_run.write`.
    """
    _, report = pruned_run.write(
        folder,
        target,
        num_images=options["images"],
        original=original,
        target=options["target"],
        budget=options["budget"],
    )
    report = step_report.with_memory(report, original, target)
    report_file.write_report(target, report)
