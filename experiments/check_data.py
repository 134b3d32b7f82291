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

import os
import pathlib
import sys
import time
import warnings

import command_line
import data_flags  # noqa: F401  (its flags)
import tqdm
from absl import app
from absl import flags

from tf_simmim.data import inspection
from tf_simmim.data.sources import data_manifest

for _name in ("validation_dataset", "data_dir", "max_pixels"):
    flags.declare_key_flag(_name)
FLAGS = flags.FLAGS

_MANIFEST = flags.DEFINE_string(
    "manifest",
    None,
    "Where to write the manifest of a folder; empty for nowhere. Default: "
    "NAME.manifest.jsonl in the working directory, or beside the folder if "
    "that is inside it.",
)
_REPORT = flags.DEFINE_string(
    "report", None, "File to write the complete list to."
)
_SHOW = flags.DEFINE_integer(
    "show", 20, "Files to list of each reason.", lower_bound=0
)
_WORKERS = flags.DEFINE_integer(
    "workers", None, "Threads. Default: one a core.", lower_bound=1
)


def main(argv):
    """Runs the program."""
    # Pillow warns of damaged EXIF data.
    warnings.filterwarnings("ignore", module="PIL")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    try:
        is_clean = check(*sources(argv))
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0 if is_clean else 2)


@command_line.plain_errors()
def sources(argv):
    """Returns the names of the source and of held-out images, or None."""
    given = [*argv[1:], *filter(None, [FLAGS.dataset])]
    if len(given) != 1:
        raise ValueError(
            "Name one source to check: folder:PATH, tfrecord:GLOB, tfds:NAME "
            f"or builtin:NAME. Received: {' '.join(given) or 'none'}."
        )
    names = [given[0], FLAGS.validation_dataset]
    return [
        f"folder:{name}" if name and os.path.isdir(name) else name
        for name in names
    ]


@command_line.plain_errors()
def check(name, validation_name):
    """Checks the images, prints the report, and returns whether all is well."""
    began = time.monotonic()
    workers = _WORKERS.value or os.cpu_count()
    examiner = inspection.Examiner(FLAGS.max_pixels)
    tally = inspection.Tally(workers)
    splits = {"train": "train", "validation": "test"}
    if validation_name:
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
    held_out = validation_name and inspection.open_items(
        validation_name, {"validation": "all"}, examiner, FLAGS.data_dir
    )

    entries = (examined.entry for examined in with_bar(tally, items))
    if manifest is None:
        for _ in entries:
            pass
    else:
        data_manifest.write(
            manifest, name, entries, max_pixels=examiner.max_pixels
        )
    if held_out:
        for _ in with_bar(tally, held_out):
            pass
    tally.finish()
    text = tally.heading(name, time.monotonic() - began)
    report = tally.report
    print(f"{text}\n\n{report.text(_SHOW.value)}")
    if _REPORT.value:
        pathlib.Path(_REPORT.value).write_text(
            f"{text}\n\n{report.text()}\n", encoding="utf-8"
        )
        print(f"\nThe complete list: {_REPORT.value}")
    if manifest is not None:
        print(
            f"\nManifest: {manifest}\nTrain on its good files with "
            f"--data_manifest={manifest}"
        )
    print(f"\n{report.verdict()}")
    return report.is_clean


def with_bar(tally, items):
    """Yields what `tally.examine` does, under a bar in a terminal."""
    with tqdm.tqdm(
        total=items.total, unit=" images", disable=None, leave=False
    ) as bar:
        for examined in tally.examine(items):
            bar.update()
            yield examined


if __name__ == "__main__":
    # SOURCE may stand before, between or after the flags, for --dataset.
    FLAGS.set_gnu_getopt(True)
    FLAGS.set_default("dataset", "")
    app.run(main, argv=command_line.resolve(sys.argv))
