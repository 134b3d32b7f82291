"""Tests for programs/doctor_report.py."""

import pytest
import tensorflow as tf
from absl import flags

from tf_simmim.programs import doctor_report
from tf_simmim.programs import training_speed
from tf_simmim.programs.flags import data_flags  # noqa: F401  (defines --dataset)
from tf_simmim.programs.flags import optimization_flags
from tf_simmim.programs.flags import prediction_flags
from tf_simmim.training import step_cost

FLAGS = flags.FLAGS
TINY = ("--backbone=vit_nano", "--patch_size=8", "--embed_dim=12", "--depth=1")


def parse(*arguments):
    FLAGS.unparse_flags()
    FLAGS(["program", "--dataset=builtin:digits", *arguments])


def mask_report(*arguments, distance=15.0, image_size=(192, 160)):
    parse(*TINY, *arguments)
    model = prediction_flags.create_simmim(image_size, channels=1, seed=0)
    report = doctor_report.Report()
    doctor_report.add_mask(report, model, distance)
    return report


def test_the_mask_is_shown_as_it_is_rounded():
    report = mask_report("--mask_patch_size=32")
    assert report.rows[0] == (
        "Mask",
        "18 of 30 squares of 32 px: 60.0%, for --mask_ratio=0.6",
    )
    assert report.warnings == []


def test_a_ratio_that_cannot_be_met_is_warned_of_with_squares_that_can():
    report = mask_report("--mask_patch_size=32", "--mask_ratio=0.61")
    assert report.warnings == []  # 19 of 30 are near enough

    report = mask_report(
        "--mask_patch_size=32", "--mask_ratio=0.55", image_size=(64, 96)
    )
    assert report.rows[0][1].startswith("4 of 6 squares")
    assert report.warnings == [
        "6 squares cannot hide 55%: 66.7% are hidden. --mask_patch_size=8 can."
    ]


@pytest.mark.parametrize(
    "distance, verdict", [(3.7, "too easy"), (36.0, "too hard")]
)
def test_a_distance_out_of_range_is_warned_of_with_a_better_size(
    distance, verdict
):
    (warning,) = mask_report("--mask_patch_size=32", distance=distance).warnings
    assert verdict in warning
    assert "--mask_patch_size=32 has 1" in warning


def test_distances_of_small_images_are_not_judged():
    report = mask_report(
        "--mask_patch_size=16", distance=3.0, image_size=(64, 96)
    )
    assert report.warnings == []


def test_a_tiny_learning_rate_is_warned_of_with_one_to_use():
    parse("--global_batch_size=64", "--base_learning_rate=1e-4")
    report = doctor_report.Report()
    doctor_report.add_learning_rate(report)
    assert report.rows[0][1] == "1.3e-05 at the peak = 0.0001 * 64 / 512"
    assert "--base_learning_rate=0.0016 gives half" in report.warnings[0]

    parse("--global_batch_size=2048", "--base_learning_rate=1e-4")
    report = doctor_report.Report()
    doctor_report.add_learning_rate(report)
    assert report.rows[0][1].startswith("4.0e-04")
    assert report.warnings == []


def test_few_updates_are_warned_of_with_a_length_that_has_more():
    parse("--global_batch_size=64", "--train_epochs=30", "--warmup_epochs=2")
    report = doctor_report.Report()
    schedule = optimization_flags.create_schedule(1000)
    doctor_report.add_length(report, schedule, 1000)
    assert report.rows[0][1] == "450, 30 of them warm-up; 15 an epoch"
    assert "--train_epochs=34 makes 500 or more" in report.warnings[0]


def cost_report(*arguments, activation_bytes):
    parse(*TINY, *arguments)
    model = prediction_flags.create_simmim((32, 48), channels=1, seed=0)
    optimizer = tf.keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    report = doctor_report.Report()
    cost = step_cost.StepCost(10**9, 3 * 10**9, activation_bytes)
    doctor_report.add_cost(report, model, optimizer, cost)
    return report


def test_memory_is_that_of_a_micro_batch():
    options = ("--mask_patch_size=16", "--global_batch_size=64")
    rows = dict(cost_report(*options, activation_bytes=10**7).rows)
    assert "10 MB for each of 64 images" in rows["Memory"]
    assert rows["Memory"].startswith("about 0.6 GB")
    assert rows["Arithmetic"].startswith("3.0 GFLOP an image and step, 1.0")

    options = (*options, "--accumulation_steps=4")
    rows = dict(cost_report(*options, activation_bytes=10**7).rows)
    assert "10 MB for each of 16 images" in rows["Memory"]


def test_too_much_memory_is_warned_of_with_steps_that_fit():
    options = ("--mask_patch_size=16", "--global_batch_size=48")
    machine = doctor_report.host_memory()
    # 0.8 / 0.1 = 8 images fit, less the weights: 6, of which 48 is a multiple.
    report = cost_report(*options, activation_bytes=machine // 10)
    assert "--accumulation_steps=8 fits" in report.warnings[0]
    report = cost_report(*options, activation_bytes=machine)
    assert "Not one image fits" in report.warnings[0]


def test_slow_input_is_warned_of():
    parse("--global_batch_size=50", "--train_epochs=20", "--warmup_epochs=2")
    cost = step_cost.StepCost(1, 2 * 10**9, 1)
    report = doctor_report.Report()
    doctor_report.add_speed(
        report, training_speed.Speed(200.0, 100.0, 50.0, 3, 8), cost
    )
    rows = dict(report.rows)
    assert rows["Step"].endswith("8 in 0.08 s (200 GFLOP/s)")
    assert report.warnings == []

    doctor_report.add_speed(
        report, training_speed.Speed(110.0, 100.0, 50.0, 3, 8), cost
    )
    assert "prepare.py" in report.warnings[0]


def test_time_is_that_of_all_phases():
    parse("--global_batch_size=50", "--train_epochs=20", "--warmup_epochs=2")
    report = doctor_report.Report()
    doctor_report.add_time(report, 9000, [(20 * 9000, 50.0)])
    assert report.rows[-1] == (
        "Time",
        "3.0 min an epoch at 50.0 images/s, 1.0 h for 20 epochs, on one device",
    )
    # 900 s and 1,800 s.
    doctor_report.add_time(report, 9000, [(90000, 100.0), (90000, 50.0)])
    assert report.rows[-1][1] == (
        "2.2 min an epoch at 66.7 images/s, 45.0 min for 20 epochs, on one "
        "device"
    )


def test_visible_patches_alone_are_said_to_cost_less():
    options = ("--mask_patch_size=16", "--global_batch_size=64")
    sees_some = (
        *("--visible_only", "--head=decoder", "--relative_position=none"),
        "--absolute_position=sincos",
    )
    for extra, is_said in ((), False), (sees_some, True):
        rows = dict(cost_report(*options, *extra, activation_bytes=1).rows)
        assert ("less with --visible_only" in rows["Arithmetic"]) == is_said
