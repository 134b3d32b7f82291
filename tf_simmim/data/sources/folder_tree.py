"""Which files of a folder are images, and what else lies there.

Names are bytes throughout: one that is not UTF-8 must not hide the rest.
"""

import collections
import errno
import os
import re

from absl import logging

from tf_simmim.data.sources import decoding

# What the names of image files end in, in upper or lower case: their format.
SUFFIXES = {
    b".jpg": "jpeg",
    b".jpeg": "jpeg",
    b".png": "png",
    b".bmp": "bmp",
    b".gif": "gif",
}
# Images too, but none that `decoding` reads: left out, and never silently.
_OTHER_SUFFIXES = (
    b".webp",
    b".avif",
    b".heic",
    b".heif",
    b".tif",
    b".tiff",
    b".jp2",
    b".jfif",
    b".jpe",
)
# What a folder holds that is no image file.
HIDDEN = "hidden"
EMPTY = "a sub-folder without images"
DANGLING = "a link that leads nowhere"
LINKED = "a link to a folder that is read already, or that this one lies in"
UNFOLLOWED = "a link to a folder"
OTHER = "another ending"
NO_FILE = "no file"
_MOST_NAMED = 5
_ENDING = re.compile(rb"\.[a-z][a-z0-9]{0,8}$")
# What to do with files that are there in the place of images.
_ADVICE = {
    **{
        suffix: f"Convert images to {decoding.FORMATS}."
        for suffix in _OTHER_SUFFIXES
    },
    **{
        suffix: "From Python, arrays are a source too: data.ArraySource."
        for suffix in (b".npy", b".npz")
    },
    **{
        suffix: "Record files are read by tfrecord:GLOB."
        for suffix in (b".tfrecord", b".tfrecords")
    },
    **{
        suffix: "Unpack archives first."
        for suffix in (b".zip", b".tar", b".gz", b".tgz")
    },
}


def require_folder(path: str, scheme: str = "") -> bytes:
    """Returns the path of a folder as bytes, or says what is there instead.

    Args:
        path: str; `~` is the home folder.
        scheme: str. What the path was given to, such as "folder:".

    Raises:
        ValueError: there is no such folder.
    """
    root = os.fsencode(os.path.expanduser(path))
    if os.path.isdir(root):
        return root
    where = os.path.abspath(printable(root))
    root = root.rstrip(b"/") or root  # A file is none with a slash after it.
    if os.path.exists(root):
        path = path.rstrip("/")
        suffix = os.path.splitext(root)[1].lower()
        advice = "give the folder that it lies in"
        if suffix in (b".tfrecord", b".tfrecords"):
            advice = f"for record files, give tfrecord:{path}"
        elif suffix == b".json":
            advice = f"for boxes as COCO has them, give coco:{path}"
        elif suffix not in SUFFIXES:
            advice = "give a folder (an archive has to be unpacked first)"
        raise ValueError(
            f"`{scheme}{path}` needs a folder of images, and {where} is a "
            f"file: {advice}."
        )
    raise ValueError(
        f"`{scheme}{path}` needs a folder of images, and there is no folder "
        f"{where}: give the path of one."
    )


def image_files(
    folder: bytes, strict=True, follow=True, note=None, advice=""
) -> list[bytes]:
    """Returns the image files below a folder, relative to it, in order.

    Links to folders are followed, each folder once: real ones first, then
    links in the order of their paths. One that leads to a folder that is read
    already, or back to one that holds this folder, is passed over.

    Args:
        folder: bytes.
        strict: bool. False: a link that leads nowhere is passed over, and
            nothing is logged.
        follow: bool. False: no link to a folder is followed.
        note: callable (what, path) that is told what is passed over, one of
            the constants above and a path, bytes; or None.
        advice: str. What to do if there are no images; or empty.

    Raises:
        ValueError: there are none, a folder cannot be read, or a link leads
            nowhere.
    """
    walk = _Walk(folder, follow, note)
    broken = walk.odd.pop(DANGLING, [])
    if strict:
        require_no_broken(broken)
    if not walk.files:
        suffixes = ", ".join(os.fsdecode(suffix) for suffix in SUFFIXES)
        raise ValueError(
            f"No images in {os.path.abspath(printable(folder))} or in the "
            f"folders below it: put files there that end in {suffixes}. "
            f"Received: {walk.summary(len(broken))}{advice and ' '}{advice}"
        )
    for what, paths in walk.odd.items() if strict else ():
        paths = sorted(paths)
        names = ", ".join(printable(path) for path in paths[:_MOST_NAMED])
        logging.warning(
            "Left out %s, %d in all: %s%s",
            what,
            len(paths),
            names,
            ", ..." if len(paths) > _MOST_NAMED else "",
        )
    return sorted(walk.files)


def require_no_broken(links) -> None:
    """Refuses links that lead nowhere: list of bytes, their paths."""
    if links:
        first = min(links)
        raise ValueError(
            "Every link to an image or a folder must lead to one. Received: "
            f"{_number(len(links), 'link')} to nowhere, the first of them "
            f"{printable(first)} -> {printable(os.readlink(first))}. Bring "
            "back what they lead to (is a disk missing?), or remove them."
        )


def is_broken(entry) -> bool:
    """Whether an `os.DirEntry` is a link to an image or a folder that is gone.

    A folder is what has, and leads to, no name with the ending of a file. A
    link to itself is not one to a folder.
    """
    if not entry.is_symlink():
        return False
    try:
        os.stat(entry.path)
        return False
    except OSError as error:
        is_loop = error.errno == errno.ELOOP
    if os.path.splitext(entry.name)[1].lower() in SUFFIXES:
        return True
    names = (entry.name, os.readlink(entry.path))
    return not is_loop and not any(
        _ENDING.match(os.path.splitext(name)[1].lower()) for name in names
    )


def files_of_folders(root: bytes, names, note=None) -> list[bytes]:
    """Returns the image files below a folder, of which parts are read apart.

    A folder that links in two parts lead to is read in both.

    Args:
        root: bytes.
        names: list of bytes, the folders in `root` that are read apart.
        note: as of `image_files`.
    """
    files = list(_Walk(root, True, note, skip=names).files)
    for name in names:
        walk = _Walk(os.path.join(root, name), True, note)
        files += [os.path.join(name, file) for file in walk.files]
    return sorted(files)


class _Walk:
    """What lies below a folder, but for the folders in it that are skipped.

    Attributes:
        files: list of bytes, relative to the folder.
        odd: dict of str -> list of bytes: what is logged, and its paths.
    """

    def __init__(self, folder, follow, note, skip=()):
        self.files, self.odd = [], collections.defaultdict(list)
        self._folder, self._follow, self._note = folder, follow, note
        self._skip = set(skip)
        self._counts = collections.Counter()
        self._endings = collections.Counter()
        self._seen, self._links, self._top = set(), [], []
        self._is_linked = False
        if follow:  # A link back to a folder that this one lies in is a loop.
            above = os.path.realpath(folder)
            while above != os.path.dirname(above):
                above = os.path.dirname(above)
                self._seen.add(_identity(above))
        self._walk(b"")
        self._is_linked = True
        # Those inside of a folder that a link leads to come after it.
        while self._links:
            self._links.sort(reverse=True)
            self._walk(self._links.pop())
        found = classes(self.files)
        for name in self._top:
            if name not in found:
                self._pass_over(EMPTY, name)

    def summary(self, num_broken):
        """Says what is there in the place of images, with numbers."""
        count = self._counts
        endings = [
            f"{n} {printable(kind) or 'without an ending'}"
            for kind, n in sorted(
                self._endings.items(),
                key=lambda each: (each[0] not in _OTHER_SUFFIXES, -each[1]),
            )
        ]
        shown = ", ".join(endings[:_MOST_NAMED])
        if len(endings) > _MOST_NAMED:
            shown += ", ..."
        linked = len(self.odd.get(LINKED, ())) + len(
            self.odd.get(UNFOLLOWED, ())
        )
        parts = [
            (sum(self._endings.values()), "other file", f" ({shown})"),
            (count[HIDDEN], "hidden name", ""),
            (linked, "folder link", ", not followed"),
            (num_broken, "dead link", ""),
            (count[NO_FILE], "special file", ""),
        ]
        parts = [
            _number(number, noun) + more
            for number, noun, more in parts
            if number
        ]
        found = ", ".join(parts) or "no files at all"
        advice = dict.fromkeys(
            _ADVICE[kind] for kind in sorted(self._endings) if kind in _ADVICE
        )
        where = _number(count["folder"], "folder")
        return " ".join([f"{found}, in {where}.", *advice])

    def _walk(self, below):
        """Adds what lies in one folder, and below it."""
        here = os.path.join(self._folder, below)
        try:
            if self._follow:
                identity = _identity(here)
                # Without links there is no loop, whatever numbers it has.
                if self._is_linked and identity in self._seen:
                    self._pass_over(LINKED, below)
                    return
                self._seen.add(identity)
            with os.scandir(here) as entries:
                entries = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise ValueError(
                f"Every folder must be readable. Received: {printable(here)}, "
                f"{error.strerror}. Allow it, or move the folder away."
            ) from error
        self._counts["folder"] += 1
        if below and class_of(below) is None:
            self._top.append(below)
        for entry in entries:
            name = os.path.join(below, entry.name)
            if name in self._skip:
                continue
            if entry.name.startswith(b"."):
                self._pass_over(HIDDEN, name)
            elif entry.is_dir(follow_symlinks=False):
                self._walk(name)
            # Not `entry.is_dir()`, which raises for a link to itself.
            elif os.path.isdir(entry.path):
                if self._follow:
                    self._links.append(name)
                else:
                    self._pass_over(UNFOLLOWED, name)
            else:
                self._take(entry, name)

    def _take(self, entry, name):
        suffix = os.path.splitext(entry.name)[1].lower()
        if (self._follow or suffix in SUFFIXES) and is_broken(entry):
            self._pass_over(DANGLING, name)
            return
        if suffix in SUFFIXES:
            if os.path.isfile(entry.path):
                self.files.append(name)
            else:
                self._pass_over(NO_FILE, name)
            return
        self._endings[suffix] += 1
        self._pass_over(OTHER, name)
        if suffix in _OTHER_SUFFIXES:
            what = f"a file that is no {decoding.FORMATS}"
            self.odd[what].append(entry.path)

    def _pass_over(self, what, name):
        path = os.path.join(self._folder, name)
        self._counts[what] += 1
        if what in (EMPTY, DANGLING, LINKED, UNFOLLOWED):
            self.odd[what].append(path)
        if self._note is not None:
            self._note(what, path)


def has_images(folder: bytes) -> bool:
    """Whether a folder or one below it has a file with an image's ending."""
    endings = tuple(SUFFIXES)
    for _, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(b".")]
        for name in names:
            if name.lower().endswith(endings) and not name.startswith(b"."):
                return True
    return False


def _identity(path):
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _number(count, noun):
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def printable(path: bytes) -> str:
    r"""Returns a path that a terminal prints as it is, on one line.

    Control characters and bytes that are not UTF-8 become `\x1b` and the
    like, as a shell's `$'...'` takes them.
    """
    text = path.decode("utf-8", "surrogateescape")
    if text.isprintable() and "\\" not in text:  # so nearly all are
        return text
    return "".join(map(_safe, text))


def _safe(character):
    if character == "\\":
        return "\\\\"
    if character.isprintable():
        return character
    raw = character.encode("utf-8", "surrogateescape")
    return "".join(f"\\x{byte:02x}" for byte in raw)


def class_of(file: bytes) -> bytes | None:
    """Returns the class of a file, relative to its split's folder, if any."""
    first, separator, _ = file.partition(os.sep.encode())
    return first if separator else None


def classes(files) -> set:
    """Returns the classes of files; None among them is of those in none."""
    return {class_of(file) for file in files}


def class_names(files) -> list | None:
    """Returns the classes in order, or None if a file lies in none."""
    names = classes(files)
    return None if None in names else sorted(names)
