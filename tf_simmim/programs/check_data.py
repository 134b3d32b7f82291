"""Looks at every image before hours of training are spent on them.

    python experiments/check_data.py folder:PATH

lists the images that training would refuse, those that are odd, and those that
are both in train and in validation. SOURCE is what --dataset takes elsewhere,
or just a folder. Of a folder it writes a manifest, which training can be held
to:

    python experiments/pretrain.py --dataset=folder:PATH
        --data_manifest=NAME.manifest.jsonl

Exit code: 0 clean (odd images do not count), 2 not clean (a bad image, or one
in train and in validation), 1 nothing could be checked, 130 Ctrl-C.
"""

import contextlib
import os
import pathlib
import sys
import time
import warnings

import tqdm
from absl import flags

from tf_simmim import atomic_file
from tf_simmim.data import inspection
from tf_simmim.data.sources import data_manifest
from tf_simmim.data.sources import folder_tree
from tf_simmim.programs import command_line
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import source_flags

_DATA_FLAGS = (
    "validation_dataset",
    "validation_split",
    "data_dir",
    "max_pixels",
)
for _name in _DATA_FLAGS:
    flags.declare_key_flag(_name)
FLAGS = flags.FLAGS

_MANIFEST = flags.DEFINE_string(
    "manifest",
    None,
    "Write the manifest of a folder to this file; an empty value writes none. "
    "By default it is NAME.manifest.jsonl in the working directory, or beside "
    "the folder if that is inside it.",
)
_REPORT = flags.DEFINE_string(
    "report",
    None,
    "Write the complete list to this new file. By default it is not written.",
)
_SHOW = flags.DEFINE_integer(
    "show", 20, "List at most this many files for each reason.", lower_bound=0
)
_WORKERS = flags.DEFINE_integer(
    "workers",
    None,
    "Work with this many threads. By default there is one for each core.",
    lower_bound=1,
)


def main(argv):
    """Runs the program."""
    # Pillow warns of damaged EXIF data.
    warnings.filterwarnings("ignore", module="PIL")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    try:
        require_no_other_flags()
        is_clean = check(*sources(argv))
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0 if is_clean else 2)


@command_line.plain_errors()
def require_no_other_flags():
    """Refuses flags of training that would change nothing here."""
    given = [
        f"--{flag.name}"
        for group in (data_flags, source_flags)
        for flag in FLAGS.get_flags_for_module(group)
        if flag.present and flag.name not in (*_DATA_FLAGS, "dataset")
    ]
    if FLAGS.validation_split:
        given.append(f"--validation_split={FLAGS.validation_split}")
    if given:
        raise ValueError(
            "A source is checked as a whole, with the splits that training "
            "uses by default; --validation_split may only be empty (nothing "
            f"is held out). Received: {', '.join(given)}."
        )
    if FLAGS.validation_split == "" and FLAGS.validation_dataset:
        raise ValueError(
            "--validation_dataset gives held-out images, and an empty "
            "--validation_split holds none out: leave one of them out."
        )


@command_line.plain_errors()
def sources(argv):
    """Returns the names of the source and of held-out images, or None."""
    given = [*argv[1:], *filter(None, [FLAGS.dataset])]
    if len(given) != 1:
        raise ValueError(
            "Name one source to check: folder:PATH, tfrecord:GLOB, tfds:NAME "
            f"or builtin:NAME. Received: {' '.join(given) or 'none'}."
        )
    return [
        name and _as_source(name)
        for name in (given[0], FLAGS.validation_dataset)
    ]


def _as_source(name):
    if os.path.isdir(os.path.expanduser(name)):
        return f"folder:{name}"
    # A scheme, such as tfds:, has no slash before its colon.
    if "/" in name.partition(":")[0] or os.path.exists(name):
        folder_tree.require_folder(name)
    return name


@command_line.plain_errors()
def check(name, validation_name):
    """Checks the images, prints the report, and returns whether all is well."""
    began = time.monotonic()
    workers = _WORKERS.value or os.cpu_count()
    examiner = inspection.Examiner(FLAGS.max_pixels)
    tally = inspection.Tally(workers)
    splits = {"train": "train", "validation": "validation"}
    if validation_name or FLAGS.validation_split == "":
        splits = {"train": "all"}
    items = inspection.open_items(name, splits, examiner, FLAGS.data_dir)
    manifest = None
    if items.root is not None and _MANIFEST.value != "":
        manifest = inspection.manifest_path(items.root, _MANIFEST.value)
    elif _MANIFEST.value:
        raise ValueError(
            "--manifest is for a folder of images. "
            f"Received: {name} and {_MANIFEST.value}."
        )
    require_new(_REPORT.value, manifest)
    held_out = validation_name and inspection.open_items(
        validation_name, {"validation": "all"}, examiner, FLAGS.data_dir
    )

    entries = (examined.entry for examined in with_bar(tally, items))
    if manifest is None:
        for _ in entries:
            pass
    else:
        with plain_writing("manifest", manifest):
            data_manifest.write(
                manifest, name, entries, max_pixels=examiner.max_pixels
            )
    if held_out:
        for _ in with_bar(tally, held_out):
            pass
    tally.finish()
    heading = tally.heading(name, time.monotonic() - began)
    report = tally.report
    parts = [heading, report.text(_SHOW.value)]
    if _REPORT.value:
        text = f"{heading}\n\n{report.text()}\n"
        with (
            plain_writing("report", _REPORT.value),
            atomic_file.replacing(_REPORT.value) as file,
        ):
            file.write(text.encode("utf-8", "backslashreplace"))
        parts.append(f"The complete list: {_REPORT.value}")
    if manifest is not None:
        parts.append(
            f"Manifest: {manifest}\nTrain on its good files with "
            f"--data_manifest={manifest}"
        )
    print("\n\n".join(filter(None, [*parts, report.verdict()])))
    return report.is_clean


def require_new(path, manifest):
    """Refuses a file for the report that exists or could not be written."""
    if not path:
        return
    folder = pathlib.Path(path).parent
    is_manifest = manifest is not None and (
        manifest.resolve() == pathlib.Path(path).resolve()
    )
    if (
        os.path.lexists(path)
        or is_manifest
        or not folder.is_dir()
        or not os.access(folder, os.W_OK)
    ):
        raise ValueError(
            "--report must be a new file in a folder that can be written to. "
            f"Received: {path}."
        )


@contextlib.contextmanager
def plain_writing(flag, path):
    """Turns an error of the disk into a sentence."""
    try:
        yield
    except OSError as error:
        raise ValueError(
            f"--{flag} cannot be written: {error.strerror}. Received: {path}."
        ) from error


def with_bar(tally, items):
    """Yields what `tally.examine` does, under a bar in a terminal."""
    with tqdm.tqdm(
        total=items.total, unit=" images", disable=None, leave=False
    ) as bar:
        for examined in tally.examine(items):
            bar.update()
            yield examined


def launch(argv):
    """Runs the program, and ends the process.

    Args:
        argv: list of str. The command line, program name first.
    """
    # SOURCE may stand before, between or after the flags, for --dataset.
    FLAGS.set_gnu_getopt(True)
    command_line.run(main, argv, flag_defaults={"dataset": ""})
