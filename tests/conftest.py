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
    "SimMIMSavingsTest": (
        "test_a_swin_of_several_last_windows_saves_the_head",
        "test_a_vit_has_the_same_loss_and_gradients1",
        "test_a_vit_has_the_same_loss_and_gradients2",
        "test_a_vit_has_the_same_loss_and_gradients4",
        "test_a_vit_has_the_same_loss_and_gradients5",
        "test_mixed_precision_rounds_alike1",
        "test_normalised_targets_are_the_same1",
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
