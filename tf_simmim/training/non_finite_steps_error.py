"""The error of a run whose numbers went bad too often."""


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
