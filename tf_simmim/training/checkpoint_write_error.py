"""The error of a checkpoint that could not be written, usually a full disk."""


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
