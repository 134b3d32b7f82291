"""Places inside of a backbone, by name: "block_3/keys"."""

import re

_PLACE = re.compile(r"block_(0|[1-9]\d*)/([a-z_]+)", re.ASCII)


def by_block(where, num_blocks: int, words) -> dict[int, list[str]]:
    """Returns {block: words} of places, of which "features" is in no block.

    Args:
        where: sequence of str.
        num_blocks: int.
        words: sequence of str. What is known of each block besides "output".

    Raises:
        ValueError: a place is unknown; the message lists the known ones.
    """
    words, found = ("output", *words), {}
    for place in where:
        if place == "features":
            continue
        match = _PLACE.fullmatch(place) if isinstance(place, str) else None
        block, word = match.groups() if match else (num_blocks, None)
        if int(block) >= num_blocks or word not in words:
            raise ValueError(
                '`where` must name places: "features", or one from "block_0/" '
                f'to "block_{num_blocks - 1}/" with a word of {words}. '
                f"Received: {place!r}."
            )
        found.setdefault(int(block), []).append(word)
    return found
