"""Tests for the flags of evaluation, in the end and while it trains."""

import types

import numpy as np
import pytest
from absl import flags

from tf_simmim import data
from tf_simmim import evaluation
from tf_simmim.programs import online_evaluation
from tf_simmim.programs import open_streams
from tf_simmim.programs import pretrain  # noqa: F401  (defines all flags)
from tf_simmim.programs.flags import data_flags
from tf_simmim.programs.flags import evaluation_flags

FLAGS = flags.FLAGS
NAMES = ("ape", "bee", "cow")
LABELS = np.array([0] * 9 + [1] * 30 + [2] * 7)


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


@pytest.mark.parametrize("num_images, want", [(100, 20), (46, 20), (11, 11)])
def test_neighbours_default_to_20_or_all_that_there_are(num_images, want):
    parse("--protocols=knn")
    labels = np.resize(LABELS, num_images)
    settings = evaluation_flags.settings(labels, NAMES)
    assert settings.knn_k == want
    assert settings.describe()["knn"]["description"].startswith(f"{want} near")


def test_neighbours_do_without_a_class():
    parse("--protocols=knn")
    settings = evaluation_flags.settings(LABELS[:39], NAMES)
    assert settings.protocols == ("knn",)


def source(class_names=NAMES, labelled=True):
    num_classes = len(class_names or NAMES)
    labels = np.arange(10) % num_classes if labelled else None
    images = np.zeros([10, 6, 9, 1], np.uint8)
    return data.ArraySource(images, labels, class_names, name="theirs")


NAMELESS = source(class_names=None)
BARE = source(class_names=None, labelled=False)


def create_for(source, held_out):
    """Returns the evaluation of a run of two blocks on these images."""
    context = types.SimpleNamespace(
        source=source,
        held_out=held_out,
        normalization=data.Normalization([0.5], [0.25]),
        seed=0,
        total_steps=100,
        streams=open_streams.OpenStreams(),
    )
    stage = types.SimpleNamespace(
        model=types.SimpleNamespace(
            backbone=types.SimpleNamespace(num_blocks=2)
        ),
        phase=types.SimpleNamespace(image_size=(32, 32)),
    )
    return online_evaluation.create(context, stage)


def create(*arguments, train=None, test=None):
    parse("--log_every_steps=5", "--validate_every_steps=5", *arguments)
    return create_for(train or source(), test or source())


def test_without_the_flag_nothing_is_judged_while_a_run_trains():
    assert create(train=BARE, test=BARE) is None


@pytest.mark.parametrize(
    "test", [source(NAMES[::-1]), NAMELESS, BARE], ids=["other", "no", "bare"]
)
def test_judging_a_run_needs_images_of_the_same_classes(test):
    with pytest.raises(ValueError, match="of the classes of the training"):
        create("--evaluate_every=5", test=test)


def test_judging_a_run_needs_held_out_images():
    parse("--log_every_steps=5", "--evaluate_every=5", "--validation_split=")
    with pytest.raises(ValueError, match="needs held-out images"):
        create_for(source(), None)


@pytest.mark.parametrize(
    "train, test", [(BARE, BARE), (BARE, NAMELESS), (NAMELESS, BARE)]
)
def test_judging_a_run_needs_labels_before_its_first_step(train, test):
    with pytest.raises(ValueError, match="needs labels.*theirs, which has no"):
        create("--evaluate_every=5", train=train, test=test)


@pytest.mark.parametrize("test", [NAMELESS, source()], ids=["no", "names"])
def test_classes_without_names_are_judged_by_their_numbers(test):
    judge = create("--evaluate_every=5", train=NAMELESS, test=test)
    (batch,) = judge.train
    assert sorted(batch["label"].numpy()) == sorted(np.arange(10) % 3)


def test_judging_a_run_needs_blocks_that_there_are():
    with pytest.raises(ValueError, match="from 0 to 1.*Received: 1,2"):
        create("--evaluate_every=5", "--evaluate_blocks=1,2")


def test_images_that_are_trained_on_do_not_judge():
    parse("--evaluate_every=100", "--split=all")
    source = data_flags.open_source()
    held_out = data_flags.open_validation_source()
    with pytest.raises(ValueError, match="--split="):
        create_for(source, held_out)


def test_a_single_class_is_refused():
    # Nearest neighbours of one class are right whatever was learned.
    parse("--evaluate_every=100")
    one = source(["ant"])
    with pytest.raises(ValueError, match="two classes.*theirs, 'ant'"):
        create_for(one, one)
