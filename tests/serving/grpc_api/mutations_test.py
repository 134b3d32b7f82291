"""Tensors that no client would send: each is answered, none breaks the server.

What a message says of its type, its shape and its values need not agree.
"""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from tensorflow.core.framework import tensor_pb2

from serving import engine
from serving import errors
from serving import pixel_limit
from serving.grpc_api import tensor_proto
from tests.export import tiny
from tf_simmim import export

MAX_BYTES = 2**20
SHAPES = st.one_of(
    st.sampled_from([[2], [2, tiny.H, tiny.W, 3], [2, 2, 3]]),
    st.lists(st.sampled_from([-1, 0, 1, 2, 3, 16, 2**31, 2**62]), max_size=6),
)
# What a signature takes, twice as often as all there is: references, values
# that are no type, types without arrays.
TYPES = st.sampled_from([1, 3, 7, 9]) | st.integers(0, 30) | st.just(107)


@st.composite
def messages(draw):
    message = tensor_pb2.TensorProto(dtype=draw(TYPES))
    for size in draw(SHAPES):
        message.tensor_shape.dim.add(size=size)
    message.tensor_shape.unknown_rank = draw(st.integers(0, 20)) == 20
    numbers = st.lists(st.sampled_from([0, 1, 2**31 - 1]), max_size=4)
    message.tensor_content = draw(
        st.sampled_from([b""] * 3 + [b"x", bytes(8 * tiny.H * tiny.W * 3)])
    )
    message.string_val.extend(draw(st.lists(st.binary(max_size=9), max_size=3)))
    for field in ("float_val", "int_val", "int64_val", "half_val"):
        getattr(message, field).extend(draw(numbers))
    return message


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    model = tiny.simmim()
    path = export.write_export(
        tmp_path_factory.mktemp("tiny"),
        model,
        tiny.preprocessing(model),
        verify=False,
    )
    loaded = engine.SavedModelEngine(path)
    yield pixel_limit.PixelLimit(loaded, pixel_limit.of_export(path))
    loaded.close()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:NumPy will stop allowing conversion")
@hypothesis.settings(
    max_examples=300,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
@hypothesis.given(data=st.data())
def test_every_message_is_answered_or_refused(served, data):
    names = sorted(n for n in served.signatures if not n.startswith("_"))
    name = data.draw(st.sampled_from(names))
    types = served.signatures[name].inputs
    sent = {alias: data.draw(messages()) for alias in types}
    try:
        arrays = {
            alias: tensor_proto.parse(alias, message, MAX_BYTES)
            for alias, message in sent.items()
        }
        # Of other types `inference.py` says so.
        if all(sent[alias].dtype == types[alias].dtype for alias in sent):
            served.run(name, arrays)
    except errors.ServingError as error:
        assert error.code == "INVALID_ARGUMENT"


def test_missing_strings_are_empty_and_missing_numbers_zero():
    message = tensor_pb2.TensorProto(dtype=7)
    for size in (2, 3):
        message.tensor_shape.dim.add(size=size)
    strings = tensor_proto.parse("x", message, MAX_BYTES)
    assert strings.tolist() == [[b""] * 3] * 2
    message.dtype = 1
    numbers = tensor_proto.parse("x", message, MAX_BYTES)
    assert numbers.dtype == np.float32 and numbers.tolist() == [[0.0] * 3] * 2
    message.dtype = 7
    message.string_val.append(b"a")
    filled = tensor_proto.parse("x", message, MAX_BYTES)
    assert filled.tolist() == [[b"a"] * 3] * 2
