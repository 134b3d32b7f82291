"""Errors of training: each ends a run, or says why one does not start."""


class CheckpointWriteError(RuntimeError):
    """A checkpoint could not be written; nothing of it was left behind.

    Training can go on and try again later: the checkpoints before are whole.

    Args:
        directory: path. The folder of checkpoints.
        step: int. Step of the checkpoint.
        cause: the exception that says why.
    """

    def __init__(self, directory, step, cause):
        # TensorFlow's messages go on for lines.
        why = str(cause).strip().partition("\n")[0]
        super().__init__(
            f"The checkpoint of step {step} could not be written to "
            f"{directory} ({type(cause).__name__}: {why}). Those before it are "
            "whole. Is the disk full?"
        )


class NoValidCheckpointError(RuntimeError):
    """There are checkpoints, but not one of them can be used.

    Starting from scratch would throw the work away that they stand for, so
    this is for a person to decide.

    Args:
        directory: path. The folder of checkpoints.
        reasons: {name: str}. Why each checkpoint cannot be used.
    """

    def __init__(self, directory, reasons):
        listing = "; ".join(f"{name}: {why}" for name, why in reasons.items())
        super().__init__(
            f"None of the checkpoints in {directory} can be used ({listing}). "
            "To go on, put a good copy of one of them back. To give the work "
            "up and start from scratch, move that folder away or choose "
            "another run directory."
        )


class NonFiniteStepsError(RuntimeError):
    """Too many steps had a loss or a gradient that is not finite.

    Weights are as after the last good step, and saved if the run saves
    checkpoints.

    Args:
        step: int. Steps taken so far.
        total: int. Skipped ones among them.
        in_a_row: int. The latest ones of these.
    """

    def __init__(self, step, total, in_a_row):
        super().__init__(
            f"Stopped after step {step}: the loss or the gradient was not "
            f"finite in {total} steps, the last {in_a_row} in a row. Nothing "
            "was learned from these. Likely causes: a learning rate that is "
            "too high, a warm-up that is too short, or float16. Try a third "
            "of the learning rate, from a checkpoint before the first of "
            "these steps."
        )
