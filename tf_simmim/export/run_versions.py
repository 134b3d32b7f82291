"""Whether what is exported of a run is what it has learned."""

from pathlib import Path

from tf_simmim import training
from tf_simmim.export import manifest as manifests


def is_current(path, directory=None) -> tuple[bool, str]:
    """Compares the newest export of a run with its last checkpoint.

    Args:
        path: path of a run directory.
        directory: path of the folder of versions; None for the run's
            `export`.

    Returns:
        (whether it is of that checkpoint, a sentence that says so). Of a run
        whose checkpoints cannot be used, nothing newer can be had.
    """
    directory = Path(directory or Path(path) / "export")
    newest = _newest(directory)
    if newest is None:
        return False, f"There is no export in {directory} yet."
    if not (Path(path) / "checkpoints").is_dir():
        return True, f"{newest} is all there is of its run."
    try:
        run = training.RunDirectory(path, create=False)
        checkpoint = training.CheckpointStore(
            run.checkpoints, create=False
        ).newest_valid()
    except (OSError, ValueError, training.NoValidCheckpointError) as error:
        return True, f"{newest} is not compared with its run: {error}"
    last = checkpoint["step"]
    try:
        told = manifests.read(newest)
        step, weights = told["run"]["step"], told["run"].get("checkpoint")
    except (ValueError, LookupError, TypeError, AttributeError):
        return False, f"{newest} does not say of which step it is."
    if problems := manifests.problems(newest, told):
        return False, f"{newest} is not whole: {problems[0]}."
    if step != last:
        return False, (
            f"{newest} is of step {step:,}, and the run's last checkpoint is "
            f"of step {last:,}."
        )
    # Exports of before say nothing of it.
    if weights not in (None, checkpoint["sha256"]):
        return False, (
            f"{newest} is of step {step:,}, as the run's last checkpoint is, "
            "but of another training."
        )
    return True, f"{newest} is of the run's last checkpoint, of step {last:,}."


def _newest(directory):
    if not directory.is_dir():
        return None
    versions = [
        path
        for path in directory.iterdir()
        if path.name.isdecimal() and (path / "saved_model.pb").is_file()
    ]
    return max(versions, key=lambda path: int(path.name), default=None)
