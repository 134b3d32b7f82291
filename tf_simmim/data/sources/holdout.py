"""The fixed hold-out of data that come without a test split.

Every twentieth image is held out; of fewer than twenty images, the last one.
A single image cannot be split: it is the train split, and there is no other.
The split "all" is every image, with nothing held out.
"""

SPLITS = ("train", "test", "all")

_EVERY = 20


def require_split(split: str) -> None:
    """Refuses any split but "train", "test" and "all"."""
    if split not in SPLITS:
        raise ValueError(
            f'`split` must be "train", "test" or "all". Received: {split!r}.'
        )


def count(num_images: int, split: str) -> int:
    """Returns how many of `num_images` images belong to `split`."""
    if split == "all":
        return num_images
    num_held_out = num_images // _EVERY or int(num_images > 1)
    return num_held_out if split == "test" else num_images - num_held_out


def belongs(position, num_images: int, split: str):
    """Tells whether the image at `position` belongs to `split`.

    Args:
        position: int or int64 scalar tensor, 0 <= position < num_images.
        num_images: int. Images in both splits.
        split: "train", "test" or "all".

    Returns:
        bool, or a bool scalar tensor.
    """
    if split == "all":
        return position >= 0
    last_of_group = min(_EVERY, num_images) - 1 if num_images > 1 else -1
    if split == "test":
        return position % _EVERY == last_of_group
    return position % _EVERY != last_of_group


def index_within(position, split: str):
    """Returns the index inside its split of the image at `position`.

    Args:
        position: int or int64 scalar tensor, of an image of that split.
        split: "train", "test" or "all".

    Returns:
        int, or an int64 scalar tensor: 0, 1, 2, ... without gaps.
    """
    if split == "all":
        return position
    if split == "test":
        return position // _EVERY
    return position - position // _EVERY


def position(index: int, num_images: int, split: str) -> int:
    """Returns where the image at `index` of its split is in the whole.

    Args:
        index: int, 0 <= index < count(num_images, split).
        num_images: int. Images in both splits.
        split: "train", "test" or "all".
    """
    if split == "all":
        return index
    if split == "test":
        return index * _EVERY + min(_EVERY, num_images) - 1
    return index + index // (_EVERY - 1)
