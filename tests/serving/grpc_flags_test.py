"""Tests for the flags of serving/serve.py that are about gRPC."""

import re

import grpc
import numpy as np
import pytest
import tensorflow as tf
import trustme
from tensorflow_serving.apis import model_management_pb2
from tensorflow_serving.apis import model_service_pb2_grpc
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc

from tests.serving import saved_models
from tests.serving import serve_test
from tests.serving.grpc_api import ssl_config_test


def predict(*values):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "default"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.float32(values)))
    return request


@pytest.mark.slow
def test_encryption_options_and_reloads_are_as_the_flags_say(tmp_path):
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    ssl_config = ssl_config_test.write(
        tmp_path / "ssl.config",
        server_key=ssl_config_test.key_of(certificate),
        server_cert=ssl_config_test.chain_of(certificate),
    )
    # Another number, since a version that is served is not loaded again.
    for name, shift in (("one/1", 2.0), ("other/2", 3.0)):
        saved_models.write_half_plus(tmp_path / name, shift)
    with serve_test.started(
        tmp_path / "one",
        f"--ssl_config_file={ssl_config}",
        "--grpc_channel_arguments=grpc.max_receive_message_length=200",
        "--allow_reload_config_requests",
    ) as (_, client, printed):
        address = re.search(r", (127\.0\.0\.1:\d+) \.\.\.", printed)[1]
        with grpc.insecure_channel(address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            with pytest.raises(grpc.RpcError) as caught:
                stub.Predict(predict(1.0), timeout=20)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        # Its program for gRPC would not speak TLS.
        (model,) = client.ask("GET", "/page/models.json").json()["models"]
        assert model["examples"]
        for texts in model["examples"].values():
            assert not any("gRPC" in title for title in texts), texts

        credentials = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
        with grpc.secure_channel(address, credentials) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            answer = stub.Predict(predict(1.0), timeout=20)
            assert list(answer.outputs["y"].float_val) == [2.5]
            with pytest.raises(grpc.RpcError) as caught:
                stub.Predict(predict(*range(60)), timeout=20)
            assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED

            request = model_management_pb2.ReloadConfigRequest()
            request.config.model_config_list.config.add(
                name="default",
                base_path=str(tmp_path / "other"),
                model_platform="tensorflow",
            )
            reload = model_service_pb2_grpc.ModelServiceStub(
                channel
            ).HandleReloadConfigRequest
            assert reload(request, timeout=60).status.error_code == 0
            answer = stub.Predict(predict(1.0), timeout=20)
            assert list(answer.outputs["y"].float_val) == [3.5]
