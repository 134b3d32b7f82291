"""The error of a source with more bad images than a run may replace."""

_NUM_NAMED = 3


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
        rule = f"at most {max_bad_images:,} may be"
        if len(reasons) == len(source):
            rule = "one at least must be good"
        if not source.random_access:
            rule = "none of such files can be replaced"
        advice = ", or allow more with --max_bad_images" * (max_bad_images > 0)
        super().__init__(
            f"{len(reasons):,} of the {len(source):,} images of {source.name} "
            f"cannot be used, and {rule}. Found last: {listing}. List all with "
            f"`python experiments/check_data.py {source.name}`, and mend or "
            f"remove them{advice}."
        )
