"""Tests for experiments/evaluation_flags.py and online_evaluation_flags.py."""

import types

import evaluation_flags
import numpy as np
import online_evaluation_flags
import pretrain  # noqa: F401  (defines all flags)
import pytest
from absl import flags
from absl.testing import flagsaver

from tf_simmim import data
from tf_simmim import evaluation

FLAGS = flags.FLAGS
NAMES = ("ape", "bee", "cow")
LABELS = np.array([0] * 9 + [1] * 30 + [2] * 7)


@pytest.fixture(autouse=True)
def restored_flags():
    with flagsaver.flagsaver():
        yield


def parse(*arguments):
    FLAGS.unparse_flags()
    FLAGS(["program", "--dataset=builtin:digits", *arguments])


def blocks(*arguments, num_blocks=4):
    parse(*arguments)
    return evaluation_flags.blocks(types.SimpleNamespace(num_blocks=num_blocks))


def test_blocks_are_all_or_those_that_are_named():
    assert blocks() == [0, 1, 2, 3]
    assert blocks("--blocks=3,0,3") == [0, 3]


@pytest.mark.parametrize("value", ["4", "0,17"])
def test_a_block_that_there_is_not_is_refused(value):
    with pytest.raises(ValueError, match=f"from 0 to 3.*Received: {value}"):
        blocks(f"--blocks={value}")


@pytest.mark.parametrize(
    "argument",
    [
        *("--protocols=knn,sgd", "--protocols=", "--blocks=", "--blocks=-1"),
        *("--blocks=all,1", "--blocks=1_0", "--few_shot_labels=0"),
        *("--few_shot_labels=x", "--few_shot_labels=", "--num_draws=1"),
        *("--evaluate_every=-1", "--evaluate_blocks=last"),
        "--evaluate_every=150",  # of --log_every_steps=100
    ],
)
def test_what_makes_no_sense_is_refused_when_flags_are_read(argument):
    with pytest.raises(flags.Error, match="must be|is not "):
        parse(argument)


def test_settings_are_the_flags():
    parse("--few_shot_labels=7,2", "--num_draws=3", "--seed=5", "--knn_k=4")
    assert evaluation_flags.settings(LABELS, NAMES) == evaluation.ProbeSettings(
        num_classes=3, knn_k=4, few_shot_labels=(2, 7), num_draws=3, seed=5
    )


def test_few_labels_default_to_what_the_smallest_class_has():
    parse()
    assert evaluation_flags.settings(LABELS, NAMES).few_shot_labels == (1, 5)
    many = np.repeat(LABELS, 2)
    assert evaluation_flags.settings(many, NAMES).few_shot_labels == (1, 5, 10)


@pytest.mark.parametrize(
    "arguments, labels, message",
    [
        (
            ["--few_shot_labels=1,8"],
            LABELS,
            "--few_shot_labels must.*: 8, and 7 training images are of class "
            "'cow'",
        ),
        (
            [],
            LABELS[:39],
            "training images of every class.*0 training images.*'cow'",
        ),
        (["--knn_k=47"], LABELS, "--knn_k must.*images, 46. Received: 47"),
    ],
)
def test_too_few_images_are_refused_by_name(arguments, labels, message):
    parse(*arguments)
    with pytest.raises(ValueError, match=message):
        evaluation_flags.settings(labels, NAMES)


def test_neighbours_do_without_a_class():
    parse("--protocols=knn")
    settings = evaluation_flags.settings(LABELS[:39], NAMES)
    assert settings.protocols == ("knn",)


def source(name, class_names):
    return data.Source(name, 10, 1, class_names)


def create(*arguments, train=NAMES, test=NAMES):
    parse("--log_every_steps=5", "--validate_every_steps=5", *arguments)
    sources = [names and source("s", names) for names in (train, test)]
    return online_evaluation_flags.create_evaluation(
        *sources, num_blocks=2, image_size=(32, 32), seed=0, last_step=9
    )


def test_without_the_flag_nothing_is_judged_while_a_run_trains():
    assert create(train=None, test=None) is None


@pytest.mark.parametrize(
    "train, test", [(None, NAMES), (NAMES, None), (NAMES, NAMES[::-1])]
)
def test_judging_a_run_needs_labels_of_the_same_classes(train, test):
    with pytest.raises(ValueError, match="--evaluate_every needs labelled"):
        create("--evaluate_every=5", train=train, test=test)


def test_judging_a_run_needs_blocks_that_there_are():
    with pytest.raises(ValueError, match="from 0 to 1.*Received: 1,2"):
        create("--evaluate_every=5", "--evaluate_blocks=1,2")
