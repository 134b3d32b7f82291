"""Which images a run learns from."""

import dataclasses

from tf_simmim.run import checks

_MAX_TEXT = 1 << 20
_MAX_IMAGES = 1 << 62
_MAX_SPLITS = 20


@dataclasses.dataclass(frozen=True)
class DataRecord:
    """The images that a run trains on, and those it is judged by.

    Args:
        name: str. What they were opened as, such as "folder:photos".
        digest: str or None. `data.Source.digest` of the training images: other
            images have another.
        splits: {"training": name of the split, "held_out": that of held-out
            images}; without what there is none of.
        num_images: int or None. Training images, all of them.
        num_labelled: int or None. Those of which the run uses the labels; 0
            where it uses none.
        class_names: tuple of str, or None where images have no classes.

    Raises:
        ValueError: a value is none of these.
    """

    name: str
    digest: str | None = None
    splits: dict[str, str] = dataclasses.field(default_factory=dict)
    num_images: int | None = None
    num_labelled: int | None = None
    class_names: tuple[str, ...] | None = None

    def __post_init__(self):
        names = checks.as_tuple(self.class_names)
        object.__setattr__(self, "class_names", names)
        checks.require(_is_text(self.name), "data.name", "text", self.name)
        checks.require(
            self.digest is None or _is_text(self.digest),
            "data.digest",
            "text, or null",
            self.digest,
        )
        checks.require(
            isinstance(self.splits, dict)
            and len(self.splits) <= _MAX_SPLITS
            and all(map(_is_text, [*self.splits, *self.splits.values()])),
            "data.splits",
            "an object of text",
            self.splits,
        )
        for field in ("num_images", "num_labelled"):
            count = getattr(self, field)
            checks.require(
                count is None or checks.is_count(count, 0, _MAX_IMAGES),
                f"data.{field}",
                "a whole number of 0 or more, or null",
                count,
            )
        checks.require(
            names is None
            or isinstance(names, tuple)
            and all(map(_is_text, names)),
            "data.class_names",
            "a list of text, or null",
            names,
        )


def _is_text(value):
    return checks.is_text(value, _MAX_TEXT)
