"""Pruning as a step of a chain: a run becomes a narrower one."""

from tf_simmim.compression import report_file
from tf_simmim.programs import pruned_run
from tf_simmim.programs import step_report

OPTIONS = {"target": "params:0.5", "budget": "guided", "images": 512}


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
