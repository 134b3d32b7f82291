"""Errors of data that cannot be used as it is."""

import shlex

_NUM_NAMED = 3


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


class TooManyBadImagesError(RuntimeError):
    """More images of a source are bad than may be.

    Args:
        source: `Source`.
        reasons: {name: str}. Why each bad image so far cannot be used.
        max_bad_images: int. How many may be.
    """

    def __init__(self, source, reasons, max_bad_images):
        last = list(reasons.items())[-_NUM_NAMED:]
        listing = "; ".join(f"{name} ({why})" for name, why in last)
        # What a run that goes on needs, which reads the others in their order.
        rule = f"at most {max_bad_images:,} may be"
        advice = "mend them where they are"
        if not source.random_access:
            rule = "an image in record files cannot be replaced"
        elif len(reasons) == len(source):
            rule = "at least one must be good"
        elif max_bad_images > 0:
            advice += ", or continue with a higher `max_bad_images`"
        super().__init__(
            f"{len(reasons):,} of the {len(source):,} images of {source.name} "
            f"cannot be used, and {rule}. Found last: {listing}. List all with "
            "`python experiments/check_data.py "
            f"{shlex.quote(source.name)}`; then {advice}. Without them, or "
            "with a manifest of the good ones, the order is another: begin a "
            "new run."
        )
