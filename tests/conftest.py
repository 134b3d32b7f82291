"""Two logical CPU devices for every test, so that replicas can be compared."""

import tf_simmim  # noqa: F401, I001  (sets TensorFlow up; must come first)
import gc

import pytest
import tensorflow as tf

# Parameters of absl cannot carry a mark. These cases take 3 to 30 s, and others
# of the same test, or near it, stay quick. {class: ends of names}
SLOW = {
    "BadImagesTest": (
        "takes_the_place0",
        "takes_the_place1",
        "takes_the_place2",
        "made_eagerly_is_that_of_the_pipeline",
        "end_the_stream1",
        "in_python_before_it_is_asked_for",
        "its_start_goes_on",
    ),
    "ClassifierStepsTest": (
        "test_a_step_in_16_bits_is_near_that_of_float320",
        "test_a_step_in_16_bits_is_near_that_of_float321",
    ),
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
        "any_batch_size_and_equals_eager_ViT",
        "any_batch_size_and_equals_eager_ViTVisibleOnly",
        "any_batch_size_and_equals_eager_Segmenter",
        "two_replicas_equal_one_ViT",
        "two_replicas_equal_one_ConvolutionalResNet",
        "in_training_SwinVersion2",
        "any_batch_size_and_equals_eager_Classifier",
        "any_batch_size_and_equals_eager_Convolutional",
        "any_batch_size_and_equals_eager_ConvolutionalResNet",
        "any_batch_size_and_equals_eager_Detector",
        "two_replicas_equal_one_Classifier",
        "two_replicas_equal_one_Convolutional",
        "two_replicas_equal_one_CrossAttentionHead",
        "two_replicas_equal_one_DetectionHead",
        "two_replicas_equal_one_Detector",
        "two_replicas_equal_one_Segmenter",
        "two_replicas_equal_one_SimpleFeaturePyramid",
        "two_replicas_equal_one_SwinV2Block",
        "in_training_Swin",
        "in_training_Classifier",
        "in_training_ViTVisibleOnly",
        "keeps_outputs_SwinVersion2",
    ),
    "ConvNeXtTest": ("test_a_variable_of_another_network_has_no_layer_id",),
    "CreateOptimizerTest": (
        "test_trains_a_model1",
        "stay_on_every_replica1",
    ),
    "DetectorTest": (
        "test_every_way_of_taking_a_step_gives_the_same_numbers0",
        "test_a_bad_image_skips_the_step",
        "test_training_learns_to_find_bright_boxes",
    ),
    "DistributedBatchesTest": (
        "has_what_is_left_or_is_dropped1",
        "has_what_is_left_or_is_dropped2",
        "rows_of_the_global_batch1",
        "test_the_last_batch_has_what_is_left_or_is_dropped3",
    ),
    "ImageStreamTest": (
        "test_many_workers_share_the_batches_of_one0",
        "test_many_workers_share_the_batches_of_one3",
        "test_many_workers_share_the_batches_of_one4",
        "test_many_workers_share_the_batches_of_one7",
        "at_any_step_gives_the_same_rest0",
        "test_many_workers_share_the_batches_of_one6",
        "test_many_workers_share_the_batches_of_one2",
        "test_many_workers_share_the_batches_of_one5",
    ),
    "ImportsTest": (
        "can_be_imported_beside_ours1",
        "can_be_imported_beside_ours2",
        "can_be_imported_beside_ours3",
    ),
    "NonFiniteWatchTest": (
        "test_a_thousandth_of_all_steps_stops_the_run1",
        "test_rows_past_the_checkpoint_are_written_again",
        "test_four_in_a_row_do_not_stop_it",
        "test_a_thousandth_of_all_steps_stops_the_run0",
    ),
    "OpenSourceTest": ("test_the_limit_on_pixels_reaches_the_source1",),
    "PrecisionTest": (
        "test_a_step_is_near_that_of_float321",
        "test_softmax_norms_loss_and_sums_are_float321",
        "test_a_step_is_near_that_of_float320",
        "test_softmax_norms_loss_and_sums_are_float320",
    ),
    "PreprocessingTest": ("held_out_images_of_a_folder_become1",),
    "ResumeTest": ("test_early_stop_leaves_a_checkpoint_and_no_row",),
    "ScalableModelTest": (
        "one_micro_batch_skips_the_step",
        "micro_batches_that_hide_different_numbers_add_up_exactly",
    ),
    "SegmentationFolderSourceTest": (
        "test_a_wrong_mask_is_named_with_the_reason_size",
    ),
    "SegmenterTest": (
        "test_every_way_of_taking_a_step_gives_the_same_numbers0",
        "test_a_bad_image_skips_the_step",
        "test_training_learns_to_tell_two_colours",
    ),
    "SimMIMConvolutionalTest": (
        "test_a_skipped_step_leaves_moving_statistics_alone1",
        "test_a_skipped_step_leaves_moving_statistics_alone2",
        "test_fit_lowers_the_loss0",
        "test_fit_lowers_the_loss1",
    ),
    "SimMIMOfSwinTest": (
        "test_fit_on_plain_images_lowers_the_loss0",
        "test_fit_on_plain_images_lowers_the_loss1",
    ),
    "SimMIMSavingsTest": (
        "test_a_vit_has_the_same_loss_and_gradients1",
        "test_a_vit_has_the_same_loss_and_gradients2",
        "test_a_vit_has_the_same_loss_and_gradients4",
        "test_a_vit_has_the_same_loss_and_gradients5",
        "test_normalised_targets_are_the_same1",
        "test_mixed_precision_rounds_alike1",
        "test_a_swin_of_several_last_windows_saves_the_head",
    ),
    "SimMIMSwinTest": (
        "test_six_adamw_steps_graph",
        "test_six_adamw_steps_xla",
        "loss_and_every_gradient_xla",
    ),
    "SimMIMTest": (
        "test_fit_on_plain_images_lowers_the_loss1",
        "test_a_bad_image_skips_the_step_on_every_replica1",
        "test_a_bad_image_skips_the_step_on_every_replica2",
        "test_masks_drawn_in_the_step_are_those_of_the_strategy0",
        "test_masks_drawn_in_the_step_are_those_of_the_strategy1",
        "test_masks_drawn_in_the_step_change_with_the_step_and_the_seed",
        "test_skipped_steps_stay_out_of_the_means",
        "test_float16_scales_the_loss_and_trains",
    ),
    "SimMIMViTTest": ("test_six_adamw_steps_xla",),
    "SwinTest": ("test_rematerializing_changes_no_number",),
    "SwinVersion2ContractTest": ("test_rematerializing_changes_no_number",),
    "TFDSSourceTest": (
        "by_the_rules_of_a_folder1",
        "test_every_epoch_has_every_image_in_its_own_order1",
        "test_all_is_the_whole_train_split_alone0",
    ),
    "TFRecordSourceTest": (
        "test_a_stream_is_entered_anywhere",
        "test_a_lost_file_is_found_removed",
        "has_its_own_order_and_keeps_it",
        "test_a_lost_file_is_found_exchanged",
        "test_a_cut_after_the_start_is_found_between_records",
        "test_one_changed_bit_is_found_with_file_and_record_length",
        "test_one_changed_bit_is_found_with_file_and_record_checksum_of_length",
        "test_one_changed_bit_is_found_with_file_and_record_checksum_of_contents",
    ),
    "TransferTrainingTest": (
        "as_if_nothing_had_happened1",
        "as_if_nothing_had_happened2",
        "as_if_nothing_had_happened3",
        "are_averages_and_others_copies1",
        "are_averages_and_others_copies3",
    ),
    "ViTTest": ("test_rematerializing_changes_no_number",),
    "VisibleOnlyViTTest": ("test_rematerializing_changes_no_number",),
}

# Minutes each, and so begun first: at the end nothing would run beside them.
# Only where pytest-xdist keeps the order.
LONGEST = ("tour_test.py", "kill_test.py")

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Drops the test that `tf.test.TestCase` brings along only to skip it.

    And marks the cases of `SLOW`, and begins with the files of `LONGEST`.
    """
    items[:] = [item for item in items if item.name != "test_session"]
    items.sort(key=lambda item: item.path.name not in LONGEST)
    for item in items:
        if item.cls is not None and item.name.endswith(
            SLOW.get(item.cls.__name__, ())
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
    gc.set_threshold(20_000, 20, 20)
