"""Two logical CPU devices for every test, so that replicas can be compared."""

import tf_simmim  # noqa: F401, I001  (sets TensorFlow up; must come first)
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)


def pytest_collection_modifyitems(items):
    """Drops the test that `tf.test.TestCase` brings along only to skip it."""
    items[:] = [item for item in items if item.name != "test_session"]
