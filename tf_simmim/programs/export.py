"""Writes what a run has learned as TensorFlow Serving loads it.

    python experiments/export.py --run=runs/mine

writes runs/mine/export/1 (and 2 the next time): a SavedModel that takes image
files and gives features, reconstructions of a run of pretrain.py, and classes
of one of finetune.py. What is in it, and how to ask: docs/export.md.

It is checked in a process of its own, as a server will run it, before it gets
its name; `python -m tf_simmim.export.verify FOLDER` does so again.
"""

import json

import tensorflow as tf
from absl import flags
from absl import logging

from tf_simmim import export
from tf_simmim.export import batching
from tf_simmim.export import preprocessing
from tf_simmim.programs import command_line
from tf_simmim.programs.flags import compute_flags
from tf_simmim.programs.flags import tflite_flags
from tf_simmim.programs.flags import trained_run_flags

flags.declare_key_flag("precision")

_EXPORT_DIR = flags.DEFINE_string(
    "export_dir",
    None,
    "Write versions of the model to this folder. By default it is export/ in "
    "the folder of the run.",
)
_EXPORT_VERSION = flags.DEFINE_integer(
    "export_version",
    None,
    "Write the version of this number. By default it is the one after the "
    "largest there is.",
    lower_bound=1,
)
_MAX_FILE_PIXELS = flags.DEFINE_integer(
    "max_file_pixels",
    preprocessing.MAX_PIXELS,
    "Refuse image files with more pixels than this, by their header.",
    lower_bound=1,
)
_MAX_BATCH_SIZE = flags.DEFINE_integer(
    "max_batch_size",
    batching.MAX_BATCH_SIZE,
    "Let a server compute at most this many images at a time.",
    lower_bound=1,
)
_VERIFY = flags.DEFINE_bool(
    "verify", True, "Check the export before it gets its name."
)
_SKIP_IF_CURRENT = flags.DEFINE_bool(
    "skip_if_current",
    False,
    "Do nothing where the newest version is of the run's last checkpoint.",
)


@command_line.plain_errors()
def main(argv):
    """Runs the program."""
    command_line.refuse_leftovers(argv)
    run = trained_run_flags.RUN.value
    if not run:
        raise ValueError("Name the folder of a run: --run=runs/demo.")
    # TensorFlow tells how it renames what nobody named.
    logging.set_verbosity(logging.WARNING)
    tf.get_logger().setLevel("WARNING")
    if _SKIP_IF_CURRENT.value:
        is_current, sentence = export.is_current(run, _EXPORT_DIR.value)
        print(sentence + ("" if is_current else " Exporting."), flush=True)
        if is_current:
            return
    compute_flags.set_precision()
    path = export.export_run(
        run,
        _EXPORT_DIR.value,
        _EXPORT_VERSION.value,
        max_pixels=_MAX_FILE_PIXELS.value,
        max_batch_size=_MAX_BATCH_SIZE.value,
        verify=_VERIFY.value,
        tflite=tflite_flags.options(run) or False,
    )
    manifest = json.loads((path / "manifest.json").read_text())
    for name, signature in manifest["signatures"].items():
        edges = [
            ", ".join(f"{alias} {_text(spec)}" for alias, spec in side.items())
            for side in (signature["inputs"], signature["outputs"])
        ]
        print(f"{name}: {edges[0]} -> {edges[1]}")
    for name, small in manifest["tflite"].items():
        # On images that a network of 8 bits was made for, where there are.
        difference, cosine = (
            small.get(f"calibration_{key}", small[key])
            for key in ("difference", "cosine")
        )
        print(
            f"TensorFlow Lite, {name}: {small['bytes'] / 1e6:.2f} MB, "
            f"{small['output']} {difference:.1e} from the model's, cosine "
            f"{cosine:.6f}, {small['milliseconds']:.2f} ms for a batch of "
            f"{small['batch_size']}"
        )
    size = sum(entry["bytes"] for entry in manifest["files"].values())
    checked = "checked" if _VERIFY.value else "not checked"
    print(f"\n{size / 1e6:.1f} MB, {checked}: {path}")


def _text(spec):
    shape = ", ".join("B" if n is None else str(n) for n in spec["shape"])
    return f"{spec['dtype']} [{shape}]"


def launch(argv):
    """Runs the program, and ends the process.

    Args:
        argv: list of str. The command line, program name first.
    """
    command_line.run(main, argv, flag_groups=(tflite_flags, trained_run_flags))
