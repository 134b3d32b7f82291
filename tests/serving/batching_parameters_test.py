"""Tests for serving.batching_parameters."""

import pytest

from serving import batching_parameters
from serving import errors
from tf_simmim.export import batching as exported


def read(tmp_path, text):
    path = tmp_path / "batching.config"
    path.write_text(text)
    return batching_parameters.read(path)


def test_every_field_of_the_file_counts(tmp_path):
    found = read(
        tmp_path,
        """
        max_batch_size { value: 12 }
        batch_timeout_micros { value: 1500 }
        max_enqueued_batches { value: 7 }
        num_batch_threads { value: 3 }
        thread_pool_name { value: "mine" }
        allowed_batch_sizes: 2
        allowed_batch_sizes: 6
        enable_large_batch_splitting { value: true }
        max_execution_batch_size { value: 6 }
        """,
    )
    assert found == batching_parameters.BatchingParameters(
        12, 1500, 7, 3, "mine", (2, 6), True, 6
    )


def test_an_empty_file_has_the_defaults_of_tensorflow_serving(tmp_path):
    found = read(tmp_path, "")
    assert found == batching_parameters.BatchingParameters()
    assert found.max_batch_size == found.max_execution_batch_size == 1000
    assert found.batch_timeout_micros == 0
    assert found.max_enqueued_batches == 10


def test_what_an_export_has_beside_its_graph_is_read(tmp_path):
    assert batching_parameters.of_model(tmp_path) is None
    (tmp_path / exported.FILE_NAME).write_text(exported.text(12))
    found = batching_parameters.of_model(tmp_path)
    assert found.max_batch_size == 12
    assert found.allowed_batch_sizes == (1, 2, 4, 8, 12)
    assert found.max_enqueued_batches == 2


def test_a_batch_is_filled_up_to_the_next_allowed_size():
    found = batching_parameters.BatchingParameters(
        8, allowed_batch_sizes=(2, 5, 8)
    )
    sizes = [found.padded_size(size) for size in range(9)]
    assert sizes == [0, 2, 2, 5, 5, 5, 8, 8, 8]
    assert batching_parameters.BatchingParameters(8).padded_size(3) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch_size: 3", "Error parsing text-format tensorflow.serving"),
        ("something { value: 1 }", "no field named"),
        ("max_batch_size { value: 0 }", "must be at least 1; was 0"),
        ("max_enqueued_batches { value: 0 }", "must be at least 1"),
        ("num_batch_threads { value: 0 }", "must be at least 1"),
        ("batch_timeout_micros { value: -1 }", "must be at least 0"),
        (
            "max_batch_size { value: 4 } allowed_batch_sizes: 2",
            "must match max_batch_size; last entry was 2; expected 4",
        ),
        (
            "max_batch_size { value: 4 } allowed_batch_sizes: 4 "
            "allowed_batch_sizes: 4",
            "monotonically increasing",
        ),
        (
            "max_batch_size { value: 4 } "
            "enable_large_batch_splitting { value: true } "
            "max_execution_batch_size { value: 5 }",
            "must not be larger than max_batch_size",
        ),
        ("pad_variable_length_inputs: true", "UNIMPLEMENTED"),
    ],
)
def test_what_a_server_cannot_do_is_refused(tmp_path, text, message):
    with pytest.raises(errors.ServingError, match=message):
        read(tmp_path, text)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(errors.ServingError, match="NOT_FOUND: .*No such file"):
        batching_parameters.read(tmp_path / "nothing")
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(errors.ServingError, match="Invalid protobuf file"):
        batching_parameters.read(tmp_path / "binary")
