"""Two logical CPU devices for every test, so that replicas can be compared."""

import gc
import importlib
import os
import sys

import pytest

gc.disable()  # See `pytest_runtest_protocol`.
# The process of pytest-xdist that only hands tests out does without.
if "PYTEST_XDIST_WORKER" in os.environ or "-n" not in sys.argv:
    importlib.import_module("tf_simmim")  # Before TensorFlow, to set it up.
    import tensorflow as tf

    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )

# Minutes each, and so begun first: at the end nothing would run beside them.
# Only where pytest-xdist keeps the order.
LONGEST = ("tour_test.py", "kill_test.py")

# So many, made and not yet freed, are looked through between two tests.
MANY_OBJECTS = 100_000


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Drops the test that `tf.test.TestCase` brings along only to skip it.

    And begins with the files of `LONGEST`.
    """
    items[:] = [item for item in items if item.name != "test_session"]
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_collection_finish():
    """Spares the garbage collector what lives to the end.

    TensorFlow's modules and the collected tests are hundreds of thousands of
    objects, and a collection of them takes 0.3 s to find some MB.
    """
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    """Collects garbage between tests alone, and at the end of each file.

    A collection in the midst of a test, at a random place, frees datasets and
    graphs of the tests before, and the test is blamed for it. Freeing an
    iterator of tf.data that ended in an error waits for the thread that tunes
    it, which pauses twice as long each time, up to a minute. What is left at
    the end of a file lives to the end.
    """
    result = yield
    is_last = nextitem is None or nextitem.path != item.path
    if is_last or gc.get_count()[0] > MANY_OBJECTS:
        gc.collect()
    if is_last:
        gc.freeze()
    return result
