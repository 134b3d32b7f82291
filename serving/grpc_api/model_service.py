"""TensorFlow Serving's `ModelService`: how versions are doing, and which."""

from tensorflow.core.protobuf import error_codes_pb2
from tensorflow_serving.apis import get_model_status_pb2
from tensorflow_serving.apis import model_management_pb2
from tensorflow_serving.apis import model_service_pb2_grpc

from serving import errors
from serving import model_config
from serving.grpc_api import calls


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus and, where it is allowed, HandleReloadConfigRequest.

    The latter lets whoever reaches the port load any folder. Where it is not
    allowed, it is UNIMPLEMENTED; TensorFlow Serving always allows it.

    Args:
        versions: `ModelVersions`.
        allow_reload_config_requests: bool.
    """

    def __init__(self, versions, allow_reload_config_requests=False):
        self._versions = versions
        self._allow_reload_config_requests = allow_reload_config_requests

    def GetModelStatus(self, request, context):  # noqa: N802
        """Answers a call."""
        return calls.answer(None, context, self._status, request)

    def HandleReloadConfigRequest(self, request, context):  # noqa: N802
        """Answers a call, when the models are served or have failed."""
        return calls.answer(None, context, self._reload, request)

    def _status(self, request):
        if not request.HasField("model_spec"):
            raise errors.invalid_argument("Missing ModelSpec")
        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None
        response = get_model_status_pb2.GetModelStatusResponse()
        for status in self._versions.status(spec.name, version):
            found = response.model_version_status.add(version=status.version)
            found.state = get_model_status_pb2.ModelVersionStatus.State.Value(
                status.state
            )
            code = status.error.code if status.error else "OK"
            found.status.SetInParent()
            found.status.error_code = error_codes_pb2.Code.Value(code)
            if status.error:
                found.status.error_message = status.error.message
        return response

    def _reload(self, request):
        if not self._allow_reload_config_requests:
            raise errors.ServingError(
                "UNIMPLEMENTED",
                "HandleReloadConfigRequest needs a server with "
                "--allow_reload_config_requests",
            )
        configs = model_config.from_message(request.config)
        if configs is None:
            raise errors.invalid_argument(
                "ServerModelConfig type not supported by "
                "HandleReloadConfigRequest. Only ModelConfigList is currently "
                "supported"
            )
        self._versions.configure(configs)
        self._versions.wait_until_available()
        response = model_management_pb2.ReloadConfigResponse()
        response.status.SetInParent()
        return response
