"""Two logical CPU devices for every test, so that replicas can be compared."""

import gc
import importlib
import os
import sys

import pytest

gc.disable()  # Until all tests are collected.
# The process of pytest-xdist that only hands tests out does without.
if "PYTEST_XDIST_WORKER" in os.environ or "-n" not in sys.argv:
    importlib.import_module("tf_simmim")  # Before TensorFlow, to set it up.
    import tensorflow as tf

    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )

# Slow ones among tests that are being rewritten: {class: names}
SLOW = {
    "ConvNeXtTest": ("test_a_variable_of_another_network_has_no_layer_id",),
    "SwinTest": ("test_rematerializing_changes_no_number",),
    "SwinVersion2ContractTest": ("test_rematerializing_changes_no_number",),
    "ViTTest": ("test_rematerializing_changes_no_number",),
    "VisibleOnlyViTTest": ("test_rematerializing_changes_no_number",),
    "ClassifierStepsTest": (
        "test_a_step_in_16_bits_is_near_that_of_float320",
        "test_a_step_in_16_bits_is_near_that_of_float321",
    ),
    "DetectorTest": (
        "test_a_bad_image_skips_the_step",
        "test_every_way_of_taking_a_step_gives_the_same_numbers0",
        "test_training_learns_to_find_bright_boxes",
    ),
    "PrecisionTest": (
        "test_a_step_is_near_that_of_float320",
        "test_a_step_is_near_that_of_float321",
        "test_softmax_norms_loss_and_sums_are_float320",
        "test_softmax_norms_loss_and_sums_are_float321",
    ),
    "ScalableModelTest": (
        "test_a_bad_image_in_one_micro_batch_skips_the_step",
        "test_micro_batches_that_hide_different_numbers_add_up_exactly",
    ),
    "SegmenterTest": (
        "test_a_bad_image_skips_the_step",
        "test_every_way_of_taking_a_step_gives_the_same_numbers0",
        "test_training_learns_to_tell_two_colours",
    ),
    "SimMIMConvolutionalTest": (
        "test_a_skipped_step_leaves_moving_statistics_alone1",
        "test_a_skipped_step_leaves_moving_statistics_alone2",
        "test_fit_lowers_the_loss0",
        "test_fit_lowers_the_loss1",
    ),
    "SimMIMSavingsTest": (
        "test_a_swin_of_several_last_windows_saves_the_head",
        "test_a_vit_has_the_same_loss_and_gradients1",
        "test_a_vit_has_the_same_loss_and_gradients2",
        "test_a_vit_has_the_same_loss_and_gradients4",
        "test_a_vit_has_the_same_loss_and_gradients5",
        "test_mixed_precision_rounds_alike1",
        "test_normalised_targets_are_the_same1",
    ),
    "SimMIMOfSwinTest": (
        "test_fit_on_plain_images_lowers_the_loss0",
        "test_fit_on_plain_images_lowers_the_loss1",
    ),
    "SimMIMTest": (
        "test_a_bad_image_skips_the_step_on_every_replica1",
        "test_a_bad_image_skips_the_step_on_every_replica2",
        "test_fit_on_plain_images_lowers_the_loss1",
        "test_float16_scales_the_loss_and_trains",
        "test_masks_drawn_in_the_step_are_those_of_the_strategy0",
        "test_masks_drawn_in_the_step_are_those_of_the_strategy1",
        "test_masks_drawn_in_the_step_change_with_the_step_and_the_seed",
        "test_skipped_steps_stay_out_of_the_means",
    ),
}

# Minutes each, and so begun first: at the end nothing would run beside them.
# Only where pytest-xdist keeps the order.
LONGEST = ("tour_test.py", "kill_test.py")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Drops the test that `tf.test.TestCase` brings along only to skip it.

    And marks the cases of `SLOW`, and begins with the files of `LONGEST`.
    """
    items[:] = [item for item in items if item.name != "test_session"]
    items.sort(key=lambda item: item.path.name not in LONGEST)
    for item in items:
        if item.cls is not None and item.name in SLOW.get(
            item.cls.__name__, ()
        ):
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish():
    """Spares the garbage collector what lives to the end.

    TensorFlow's modules and the collected tests are hundreds of thousands of
    objects, and tracing makes enough new ones to have them all looked through
    again and again: 6 % of the time of the conformance tests.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 20, 20)
