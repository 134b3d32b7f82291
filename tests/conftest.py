"""Two logical CPU devices for every test, so that replicas can be compared."""

import tf_simmim  # noqa: F401, I001  (sets TensorFlow up; must come first)
import pytest
import tensorflow as tf

# Parameters of absl cannot carry a mark. These cases take 7 to 30 s, and others
# of the same test stay quick. {class: ends of names}
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
    ),
    "SimMIMSwinTest": ("test_six_adamw_steps_xla", "test_every_gradient_xla"),
    "SimMIMTest": (
        "test_fit_on_plain_images_lowers_the_loss1",
        "test_fit_on_plain_images_lowers_the_loss2",
        "test_fit_on_plain_images_lowers_the_loss3",
        "test_a_bad_image_skips_the_step_on_every_replica1",
        "test_a_bad_image_skips_the_step_on_every_replica2",
        "test_a_bad_image_skips_the_step_on_every_replica3",
        "test_masks_drawn_in_the_step_are_those_of_the_strategy1",
    ),
    "SimMIMOfSwinTest": (
        "test_fit_on_plain_images_lowers_the_loss1",
        "test_fit_on_plain_images_lowers_the_loss2",
    ),
    "SimMIMConvolutionalTest": (
        "test_a_skipped_step_leaves_moving_statistics_alone1",
        "test_a_skipped_step_leaves_moving_statistics_alone2",
    ),
    "SwinVersion2ContractTest": ("test_rematerializing_changes_no_number",),
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
