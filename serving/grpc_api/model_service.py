"""TensorFlow Serving's `ModelService`: how versions are doing."""

from tensorflow.core.protobuf import error_codes_pb2
from tensorflow_serving.apis import get_model_status_pb2
from tensorflow_serving.apis import model_service_pb2_grpc

from serving import errors
from serving.grpc_api import calls


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus alone.

    HandleReloadConfigRequest is UNIMPLEMENTED: it would let whoever reaches
    the port load any folder.

    Args:
        versions: `ModelVersions`.
    """

    def __init__(self, versions):
        self._versions = versions

    def GetModelStatus(self, request, context):  # noqa: N802
        """Answers a call."""
        return calls.answer(None, context, self._status, request)

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
