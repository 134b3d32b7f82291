"""Tests for serving.grpc_api.model_service: callers who choose the models.

How versions are doing is in the golden calls of `server_test.py`.
"""

import contextlib
import functools

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import model_management_pb2
from tensorflow_serving.apis import predict_pb2

from serving import engine
from serving import model_versions
from serving import workers
from serving.rest import limits as rest_limits
from tests.serving.grpc_api import server_test


def reload_request(**base_paths):
    """Returns a request for models, each given as name=folder."""
    request = model_management_pb2.ReloadConfigRequest()
    for name, base_path in base_paths.items():
        request.config.model_config_list.config.add(
            name=name, base_path=str(base_path), model_platform="tensorflow"
        )
    return request


def test_callers_choose_no_folders_unless_they_may(versions, models):
    with contextlib.closing(workers.Workers(2, 4, 60.0)) as pool:
        with server_test.running(
            versions, pool, rest_limits.Limits()
        ) as client:
            with pytest.raises(grpc.RpcError) as caught:
                client.call(
                    "HandleReloadConfigRequest",
                    reload_request(m=models / "kinds"),
                )
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "--allow_reload_config_requests" in caught.value.details()


def test_callers_who_may_replace_the_models(models):
    load = functools.partial(engine.SavedModelEngine, timeout_in_ms=10_000)
    method = "HandleReloadConfigRequest"
    half = models / "half_plus_two"
    with contextlib.ExitStack() as stack:
        versions = model_versions.ModelVersions(load, max_num_load_retries=0)
        stack.callback(versions.close)
        pool = stack.enter_context(
            contextlib.closing(workers.Workers(2, 4, 60.0))
        )
        client = stack.enter_context(
            server_test.running(
                versions,
                pool,
                rest_limits.Limits(),
                allow_reload_config_requests=True,
            )
        )
        response = client.call(method, reload_request(one=half, two=half))
        assert response.HasField("status")
        assert response.status.error_code == 0
        # Answered when they serve.
        assert versions.unavailable() == []
        # The list replaces the one before.
        client.call(method, reload_request(two=half))
        assert versions.names() == ["two"]
        for request, message in (
            (reload_request(), "Only ModelConfigList is currently supported"),
            (reload_request(two="relative"), "to have an absolute path"),
            (
                reload_request(two=half, three=models / "none"),
                "Unable to find a numerical version path for servable three",
            ),
        ):
            with pytest.raises(grpc.RpcError, match=message):
                client.call(method, request)
        # What cannot be served takes nothing away.
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "two"
        request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.float32([1.0])))
        answer = client.call("Predict", request)
        assert list(answer.outputs["y"].float_val) == [3.5]
