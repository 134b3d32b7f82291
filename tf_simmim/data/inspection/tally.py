"""Examines all images of a source, and keeps count."""

from tf_simmim.data.inspection import duplicates
from tf_simmim.data.inspection import in_order
from tf_simmim.data.inspection import report


class Tally:
    """What has been found so far, in one source or several.

    Args:
        num_workers: int > 0, images to examine at a time.

    Attributes:
        report: `Report`. Images in train and in validation, and duplicates,
            are in it after `finish`.
        num_images: int.
        num_bytes: int.
        num_of_side: dict of str, "train" or "validation" -> int.
    """

    def __init__(self, num_workers):
        self.report = report.Report()
        self.num_images = 0
        self.num_bytes = 0
        self.num_of_side = {"train": 0, "validation": 0}
        self._num_workers = num_workers
        self._duplicates = duplicates.Duplicates()

    def examine(self, items):
        """Yields an `Examined` for each image, in order, and counts it.

        Args:
            items: `Items`.
        """
        for found in items.findings:
            self.report.add(found)
        for item, examined in in_order.map_in_order(
            lambda item: (item, item.examine()), items.items, self._num_workers
        ):
            self.num_images += 1
            self.num_bytes += examined.num_bytes
            if item.side is not None:
                self.num_of_side[item.side] += 1
            for found in examined.findings:
                self.report.add(found)
            if examined.digest is not None and not examined.is_bad:
                self._duplicates.add(examined.digest, examined.path, item.side)
            yield examined

    def finish(self) -> None:
        """Adds what is known at the end only to the report."""
        for found in self._duplicates.findings():
            self.report.add(found)

    def heading(self, name: str, seconds: float) -> str:
        """Returns what has been examined, and how fast, for people."""
        sides = ", ".join(
            f"{count:,} for {side}" for side, count in self.num_of_side.items()
        )
        return (
            f"{name}: {self.num_images:,} images, {self.num_bytes / 1e6:,.1f} "
            f"MB ({sides}).\nExamined in {seconds:.1f} s, "
            f"{60 * self.num_images / seconds:,.0f} a minute with "
            f"{self._num_workers} workers."
        )
