"""Makes images ready once: smaller, and in few large record files.

    python experiments/prepare.py --dataset=folder:PATH --out=FOLDER

writes every image of the train and of the test split as TFRecord files, with
an index of their sizes and hashes. Training then reads them faster:

    python experiments/pretrain.py --dataset=tfrecord:'FOLDER/*.tfrecord'

Killed at any moment, the same command goes on where it stopped; given again
at the end, it compares every file with its hash.

Exit code: 0 done, 1 not done, 130 Ctrl-C.
"""

import sys

import tqdm
from absl import flags
from absl import logging

from tf_simmim import data
from tf_simmim.data import preparation
from tf_simmim.programs import command_line
from tf_simmim.programs.flags import source_flags

_OUT = flags.DEFINE_string(
    "out",
    None,
    "Write to this folder, which is new, or of the same command before. By "
    "default there is none, and one must be named.",
    required=True,
)
_SHORT_SIDE = flags.DEFINE_integer(
    "short_side",
    256,
    "Shrink images to a short side of this many pixels; smaller ones stay as "
    "they are, and with 0 all do. Take 256 for training at 192 px, 288 for "
    "224 px.",
    lower_bound=0,
)
_FORMAT = flags.DEFINE_enum(
    "format",
    "jpeg",
    preparation.FORMATS,
    "Store images in this format; png loses nothing.",
)
_QUALITY = flags.DEFINE_integer(
    "quality",
    90,
    "Compress JPEG files with this quality, from 1 to 100.",
    lower_bound=1,
    upper_bound=100,
)
_IMAGES_PER_SHARD = flags.DEFINE_integer(
    "images_per_shard",
    8192,
    "Write this many images to a file; 8192 are some 200 MB at 256 px.",
)
_NUM_SHARDS = flags.DEFINE_integer(
    "num_shards",
    None,
    "Write this many files for each split, whatever --images_per_shard says. "
    "By default that flag decides.",
)
_SHUFFLE = flags.DEFINE_bool(
    "shuffle",
    True,
    "Store images in a random order, the same every time; record files of one "
    "class each are shuffled badly in training.",
)
_WORKERS = flags.DEFINE_integer(
    "workers",
    None,
    "Work with this many threads. By default there is one for each core.",
)


def main(argv):
    """Runs the program."""
    command_line.refuse_leftovers(argv)
    try:
        prepare()
    except KeyboardInterrupt:
        sys.exit(130)


@command_line.plain_errors()
def prepare():
    """Writes the images, or compares them when all are there."""
    making = preparation.Preparation(
        source_flags.open_splits(),
        _OUT.value,
        short_side=_SHORT_SIDE.value,
        image_format=_FORMAT.value,
        quality=_QUALITY.value,
        images_per_shard=_IMAGES_PER_SHARD.value,
        num_shards=_NUM_SHARDS.value,
        shuffle=_SHUFFLE.value,
        max_bad_images=source_flags.MAX_BAD_IMAGES.value,
        num_workers=_WORKERS.value,
    )
    if making.index is not None:
        logging.info("All is there: comparing every file with its hash.")
        if changed := making.changed():
            raise data.DamagedRecordsError(str(making.folder), changed)
    else:
        with tqdm.tqdm(total=making.total, unit=" images", disable=None) as bar:
            making.run(bar.update)
    report(making.folder, making.index)


def report(folder, index):
    """Prints what is there, and how to train on it."""
    num_bytes = sum(shard.bytes for shard in index.shards)
    for split in index.class_names:
        shards = [shard for shard in index.shards if shard.split == split]
        count = sum(shard.records for shard in shards)
        print(f"{split}: {count:,} images in {len(shards)} files")
    if index.left_out:
        print(f"{len(index.left_out):,} bad images left out, named in the log")
    print(
        f"{num_bytes / 1e6:,.1f} MB in {folder}\n"
        f"Train on them with --dataset=tfrecord:'{folder}/*.tfrecord'"
    )


def launch(argv):
    """Runs the program, and ends the process.

    Args:
        argv: list of str. The command line, program name first.
    """
    command_line.run(main, argv, flag_groups=(source_flags,))
