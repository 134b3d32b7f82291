"""The error that keeps a run from silently starting over."""


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
