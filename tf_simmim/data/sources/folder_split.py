"""One split of a folder of images."""

import dataclasses


def _none():
    return dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class FolderSplit:
    """The files of one split.

    Attributes:
        folder: bytes, where they lie.
        files: list of bytes, relative to `folder`, in order.
        class_names: list of bytes, as labels are numbered; None for no labels.
        unused: list of bytes, the folders beside this one, and beside that of
            the training images, which are in neither.
        strangers: list of bytes, classes of a held-out split that have no
            training images, so that it has no labels.
        warnings: list of str, sentences for a person; most folders give none.
        facts: list of str, likewise, of what is as it should be.
        loose: list of bytes, files in no folder of a class, where most files
            lie in one: because of them there are no labels.
    """

    folder: bytes
    files: list
    class_names: list | None
    unused: list = _none()
    strangers: list = _none()
    warnings: list = _none()
    facts: list = _none()
    loose: list = _none()
