"""Two logical CPU devices for every test, so that replicas can be compared."""

import tf_simmim  # noqa: F401, I001  (sets TensorFlow up; must come first)
import pytest
import tensorflow as tf

# Parameters of absl cannot carry a mark. These cases take 4 to 30 s, and others
# of the same test, or near it, stay quick. {class: ends of names}
SLOW = {
    "ConformanceTest": (
        "equals_eager_Swin",
        "equals_eager_SwinVersion2",
        "equals_eager_SimMIMOfSwin",
        "equals_eager_SimMIMOfVisibleOnly",
        "two_replicas_equal_one_Swin",
        "two_replicas_equal_one_SwinVersion2",
        "two_replicas_equal_one_ViTVisibleOnly",
        "two_replicas_equal_one_SimMIMOfSwin",
        "two_replicas_equal_one_SimMIMOfVisibleOnly",
        # Others hold these.
        "any_batch_size_and_equals_eager_ViT",
        "any_batch_size_and_equals_eager_ViTVisibleOnly",
        "any_batch_size_and_equals_eager_Segmenter",
        "two_replicas_equal_one_ViT",
        "two_replicas_equal_one_ConvolutionalResNet",
        "in_training_SwinVersion2",
    ),
    "SimMIMSwinTest": (
        "test_six_adamw_steps_graph",
        "test_six_adamw_steps_xla",
        "test_every_gradient_xla",
    ),
    "SimMIMViTTest": ("test_six_adamw_steps_xla",),
    "SimMIMTest": (
        "test_fit_on_plain_images_lowers_the_loss1",
        "test_fit_on_plain_images_lowers_the_loss2",
        "test_fit_on_plain_images_lowers_the_loss3",
        "test_a_bad_image_skips_the_step_on_every_replica1",
        "test_a_bad_image_skips_the_step_on_every_replica2",
        "test_a_bad_image_skips_the_step_on_every_replica3",
        "test_masks_drawn_in_the_step_are_those_of_the_strategy0",
        "test_masks_drawn_in_the_step_are_those_of_the_strategy1",
    ),
    "SimMIMOfSwinTest": (
        "test_fit_on_plain_images_lowers_the_loss0",
        "test_fit_on_plain_images_lowers_the_loss1",
        "test_fit_on_plain_images_lowers_the_loss2",
    ),
    "SimMIMConvolutionalTest": (
        "test_a_skipped_step_leaves_moving_statistics_alone1",
        "test_a_skipped_step_leaves_moving_statistics_alone2",
    ),
    "SwinTest": ("test_rematerializing_changes_no_number",),
    "SwinVersion2ContractTest": ("test_rematerializing_changes_no_number",),
    "ScalableModelTest": ("one_micro_batch_skips_the_step",),
    **dict.fromkeys(
        ("DetectorTest", "SegmenterTest"),
        (
            "test_every_way_of_taking_a_step_gives_the_same_numbers0",
            "test_a_bad_image_skips_the_step",
        ),
    ),
    "PrecisionTest": (
        "test_a_step_is_near_that_of_float321",
        "test_softmax_norms_loss_and_sums_are_float321",
    ),
    "NonFiniteWatchTest": (
        "test_a_thousandth_of_all_steps_stops_the_run1",
        "test_rows_past_the_checkpoint_are_written_again",
    ),
    "BadImagesTest": ("takes_the_place0", "takes_the_place1"),
    "ImageStreamTest": tuple(
        f"test_many_workers_share_the_batches_of_one{n}" for n in (0, 3, 4, 7)
    ),
    "TFDSSourceTest": ("by_the_rules_of_a_folder1",),
    "ImportsTest": ("can_be_imported_beside_ours1",),
    "VisibleOnlyViTTest": ("test_rematerializing_changes_no_number",),
}

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Drops the test that `tf.test.TestCase` brings along only to skip it.

    And marks the cases of `SLOW`.
    """
    items[:] = [item for item in items if item.name != "test_session"]
    for item in items:
        if item.cls is not None and item.name.endswith(
            SLOW.get(item.cls.__name__, ())
        ):
            item.add_marker(pytest.mark.slow)
