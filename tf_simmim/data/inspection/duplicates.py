"""Images that are there more than once, by a hash of their content."""

from tf_simmim.data.inspection import finding
from tf_simmim.data.sources import folder_tree


class Duplicates:
    """Collects images, and finds those with the same content.

    Held in memory: hash, path and side of each image.
    """

    def __init__(self):
        self._images = []
        self._first = {}
        self._repeated = {}

    def add(self, digest: bytes, path: bytes, side: str | None) -> None:
        """Adds an image.

        Args:
            digest: bytes, a hash of the content.
            path: bytes, the image's name in messages.
            side: "train", "validation" or None, what training uses it for.
        """
        number = len(self._images)
        self._images.append((path, side))
        first = self._first.setdefault(digest, number)
        if first != number:
            self._repeated.setdefault(digest, [first]).append(number)

    def findings(self):
        """Yields a `Finding` for each image that an earlier one equals.

        An image of validation that is also in train is one of its own reason,
        whatever else it equals.
        """
        for numbers in self._repeated.values():
            first_of = {}
            images = [self._images[number] for number in numbers]
            for path, side in images:
                first_of.setdefault(side, path)
            for path, side in images:
                if side == "validation" and "train" in first_of:
                    reason, other = "in_train_and_validation", first_of["train"]
                elif first_of[side] != path:
                    reason, other = "duplicate", first_of[side]
                else:
                    continue
                yield finding.Finding(
                    reason, path, f"= {folder_tree.printable(other)}"
                )
