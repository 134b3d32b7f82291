"""The error of record files that are damaged."""


class DamagedRecordsError(RuntimeError):
    """Files of records are cut, changed or gone since they were written.

    Nothing takes the place of what they held, since a lost record would move
    every later one.

    Args:
        name: str. Of the source.
        damage: list of str. What is wrong, each naming file and record.
    """

    def __init__(self, name, damage):
        super().__init__(
            f"There is damage in {name}: {'; '.join(damage)}. Put good copies "
            "of these files back."
        )
