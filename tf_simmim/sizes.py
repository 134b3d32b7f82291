"""Sizes of images, patches and grids, and the one rule they must obey."""


def as_pair(size, name: str) -> tuple[int, int]:
    """Returns (height, width) from one positive int or a pair of them.

    Args:
        size: int, or a sequence (height, width) of two ints. Pixels or cells.
        name: str. The argument's name, for the error.

    Raises:
        ValueError: anything else, or a number below 1.
    """
    pair = (size, size) if isinstance(size, int) else size
    pair = tuple(pair) if isinstance(pair, (tuple, list)) else ()
    if len(pair) != 2 or not all(isinstance(n, int) and n > 0 for n in pair):
        raise ValueError(
            f"`{name}` must be a positive int or a pair (height, width) of "
            f"them. Received: {size!r}."
        )
    return pair


def require_multiple(
    size: tuple[int, int], name: str, divisor: int, divisor_name: str
) -> None:
    """Refuses a size that `divisor` does not divide, naming what would work.

    Args:
        size: pair of int. (height, width), pixels.
        name: str. Name of the argument that `size` came from.
        divisor: int. Pixels.
        divisor_name: str. Name of the argument that `divisor` came from.

    Raises:
        ValueError: a side is not a multiple; the message has the nearest
            sizes that are. Or `divisor` is not a positive int.
    """
    if not isinstance(divisor, int) or divisor < 1:
        raise ValueError(
            f"`{divisor_name}` must be a positive int. Received: {divisor!r}."
        )
    if all(side % divisor == 0 for side in size):
        return
    below = tuple(max(side // divisor, 1) * divisor for side in size)
    above = tuple(-(-side // divisor) * divisor for side in size)
    nearest = f"{below[0]}x{below[1]}"
    if above != below:
        nearest += f" or {above[0]}x{above[1]}"
    raise ValueError(
        f"`{name}` must be a multiple of `{divisor_name}` ({divisor} px) on "
        f"both sides; the nearest sizes that work are {nearest}. "
        f"Received: {name}={size[0]}x{size[1]}."
    )
