"""What tests of tasks need: flags as a command line sets them, a context."""

import pathlib
import types

from absl import flags

FLAGFILES = pathlib.Path(__file__).parents[2] / "experiments" / "flags"


def parse(*arguments):
    """Sets all flags anew, as a command line does."""
    flags.FLAGS.unparse_flags()
    flags.FLAGS(["program", *arguments])


def context_of(task, source, held_out=None):
    """Returns what a task asks of a `RunContext`."""
    return types.SimpleNamespace(
        source=source,
        held_out=held_out,
        normalization=task.normalization(source),
        seed=flags.FLAGS.seed,
    )


def assert_recipe_continues_its_pretraining(name):
    """Compares the networks of digit_scenes_NAME.flags and its pretraining."""
    network = ("backbone", "embed_dim", "depth", "num_heads", "patch_size")
    found = []
    for recipe in ("pretrain", name):
        parse(f"--flagfile={FLAGFILES}/digit_scenes_{recipe}.flags")
        found.append(
            [flags.FLAGS[flag].value for flag in (*network, "image_size")]
        )
    assert found[0] == found[1]
    assert flags.FLAGS.pretrained == "runs/digit_scenes_pretrain"
    assert not flags.FLAGS.horizontal_flip
