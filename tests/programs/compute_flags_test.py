"""Tests for programs/flags/compute_flags.py and for --accumulation_steps."""

from unittest import mock

import pytest
import tensorflow as tf
from absl import flags
from absl import logging
from absl.testing import flagsaver

from tf_simmim.programs import earlier_run
from tf_simmim.programs import pretrain
from tf_simmim.programs import run_settings
from tf_simmim.programs.flags import compute_flags
from tf_simmim.programs.flags import optimization_flags

FLAGS = flags.FLAGS


@pytest.fixture(autouse=True)
def restored():
    with flagsaver.flagsaver():
        yield
    tf.keras.mixed_precision.set_global_policy("float32")


def parse(*arguments):
    FLAGS.unparse_flags()
    return FLAGS(["program", "--dataset=builtin:digits", *arguments])


@pytest.mark.parametrize(
    "arguments, policy",
    [
        ([], "float32"),
        (["--precision=bfloat16"], "mixed_bfloat16"),
        (["--precision=float16"], "mixed_float16"),
    ],
)
def test_precision_is_the_policy_of_the_process(arguments, policy):
    parse(*arguments)
    compute_flags.set_precision()
    assert tf.keras.mixed_precision.global_policy().name == policy


def test_flags_of_computing_are_flags_of_a_run():
    parse("--precision=float16", "--jit_compile", "--accumulation_steps=2")
    text = run_settings.as_flagfile(run_settings.current())
    lines = text.splitlines()
    assert "--precision=float16" in lines
    assert "--jit_compile" in lines
    assert "--accumulation_steps=2" in lines
    free = earlier_run.changeable(pretrain.Pretraining.flag_groups)
    assert {"jit_compile", "accumulation_steps"} <= free
    assert "precision" not in free


@pytest.mark.parametrize(
    "batch, steps, nearest", [(12, 5, 4), (12, 40, 12), (7, 2, 1)]
)
def test_accumulation_steps_must_divide_the_batch(batch, steps, nearest):
    parse(f"--global_batch_size={batch}", f"--accumulation_steps={steps}")
    message = (
        f"must divide the batch of a device, {batch} images; the nearest that "
        f"does is {nearest}. Received: {steps}."
    )
    with pytest.raises(ValueError, match=message):
        optimization_flags.accumulation_steps()


def test_accumulation_steps_divide_the_share_of_a_replica():
    parse("--global_batch_size=12", "--accumulation_steps=4")
    assert optimization_flags.accumulation_steps() == 4
    strategy = tf.distribute.MirroredStrategy(
        ["/cpu:0", "/cpu:1"],
        cross_device_ops=tf.distribute.ReductionToOneDevice(),
    )
    with strategy.scope(), pytest.raises(ValueError, match="device, 6 images"):
        optimization_flags.accumulation_steps()


@pytest.mark.parametrize(
    "before, now, warning",
    [
        ([], [], None),
        (["--jit_compile"], ["--jit_compile"], None),
        (["--accumulation_steps=2"], [], "--accumulation_steps was 2, is 1"),
        ([], ["--jit_compile"], "--jit_compile was False, is True"),
        (None, ["--jit_compile"], "--jit_compile was False, is True"),
    ],
)
def test_going_on_with_other_rounding_is_a_warning(before, now, warning):
    settings = {"seed": 3}  # a run from before there was such a flag
    if before is not None:
        parse(*before)
        settings = run_settings.current()
    parse(*now)
    with mock.patch.object(logging, "warning") as warn:
        earlier_run.warn_of_other_rounding(settings)
    said = [call.args[0] % call.args[1:] for call in warn.call_args_list]
    assert len(said) == (warning is not None)
    for line in said:
        assert line.startswith(warning)
        assert line.endswith("Continuing, but not bit-exact.")
