"""The fixed hold-out of data that come without a test split.

Of files whose classes are known, about one in twenty is held out, chosen class
by class: see `by_class`. Of others, every twentieth image is held out; of fewer
than twenty images, the last one. A single image cannot be split: it is the
train split, and there is no other. The split "all" is every image, with nothing
held out.
"""

import collections
import hashlib

SPLITS = ("train", "test", "all")

_EVERY = 20
# Of a class with as many images, one is held out in any case.
_ENOUGH = 5
# Not the seed of a run: all programs and runs hold out the same images.
_KEY = b"tf_simmim hold-out"
_HASH_SIZE = 8  # bytes
_BOUND = 256**_HASH_SIZE // _EVERY


def require_split(split: str, others=()) -> None:
    """Refuses any split but "train", "test" and "all", and `others`."""
    known = (*SPLITS, *others)
    if split not in known:
        *names, last = (f'"{name}"' for name in known)
        raise ValueError(
            f"`split` must be {', '.join(names)} or {last}. "
            f"Received: {split!r}."
        )


def by_class(names, classes) -> list[bool]:
    """Tells which images are held out, of images whose classes are known.

    An image is held out if a keyed hash of its name is among the lowest
    twentieth; so what becomes of it does not depend on other images, and is
    the same in every program and run. Of a class with five or more images, of
    which none would be, the one with the lowest hash is held out; of a class
    of which all would be, the one with the highest is not. So each class has an
    image to train on, and a file that is added to a class of five or more
    takes no other one from the training images. Where every class has a single
    image, they count as no classes, and every twentieth image is held out.

    Args:
        names: list of bytes, different ones: the file below its split.
        classes: list of collections, the classes of each image: one in a
            folder, any number where images have objects.

    Returns:
        list of bool. All False if there are fewer than two images.
    """
    hashes = [
        hashlib.blake2b(name, key=_KEY, digest_size=_HASH_SIZE).digest()
        for name in names
    ]
    is_held_out = [int.from_bytes(each, "big") < _BOUND for each in hashes]
    members = collections.defaultdict(list)
    for place, of_image in enumerate(classes):
        for each in of_image:
            members[each].append(place)
    members = [members[each] for each in sorted(members)]
    for places in members:
        if len(places) >= _ENOUGH and not any(is_held_out[p] for p in places):
            is_held_out[min(places, key=hashes.__getitem__)] = True
    for places in members:
        if all(is_held_out[p] for p in places):
            is_held_out[max(places, key=hashes.__getitem__)] = False
    if not any(is_held_out) and names:
        needed = {places[0] for places in members if len(places) == 1}
        spare = [p for p in range(len(names)) if p not in needed]
        if spare:
            is_held_out[min(spare, key=hashes.__getitem__)] = True
        else:  # A class for each image; then these are no classes.
            total = len(names)
            is_held_out = [belongs(p, total, "test") for p in range(total)]
    if names and all(is_held_out):
        is_held_out[hashes.index(max(hashes))] = False
    return is_held_out


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
