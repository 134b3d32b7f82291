"""TensorFlow Serving's `PredictionService`."""

from tensorflow_serving.apis import classification_pb2
from tensorflow_serving.apis import get_model_metadata_pb2
from tensorflow_serving.apis import inference_pb2
from tensorflow_serving.apis import model_pb2
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tensorflow_serving.apis import regression_pb2

from serving import errors
from serving import inference
from serving import monitoring
from serving import multi_inference
from serving.grpc_api import calls
from serving.grpc_api import example_input
from serving.grpc_api import tensor_proto


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict, Classify, Regress, MultiInference and GetModelMetadata.

    Args:
        versions: `ModelVersions`.
        pool: `Workers`, threads that compute.
        limits: `Limits` of a call; its bytes are also those of an input.
    """

    def __init__(self, versions, pool, limits):
        self._versions = versions
        self._pool = pool
        self._limits = limits

    def Predict(self, request, context):  # noqa: N802
        """Answers a call."""
        return self._answer(context, "Predict", self._predict, request)

    def Classify(self, request, context):  # noqa: N802
        """Answers a call."""
        return self._answer(context, "Classify", self._classify, request)

    def Regress(self, request, context):  # noqa: N802
        """Answers a call."""
        return self._answer(context, "Regress", self._regress, request)

    def MultiInference(self, request, context):  # noqa: N802
        """Answers a call."""
        spec = _spec_of_all(request)
        counted = monitoring.request(
            self._versions, spec.name, "MultiInference", "GRPC"
        )
        return calls.answer(
            self._pool, context, self._multi_inference, request, counted
        )

    def GetModelMetadata(self, request, context):  # noqa: N802
        """Answers a call."""
        return calls.answer(None, context, self._metadata, request)

    def _answer(self, context, api, function, request):
        counted = monitoring.request(
            self._versions, request.model_spec.name, api, "GRPC"
        )
        return calls.answer(self._pool, context, function, request, counted)

    def _predict(self, request):
        with calls.servable(self._versions, request.model_spec) as (
            version,
            engine,
        ):
            inputs = {
                alias: tensor_proto.parse(
                    alias, message, self._limits.max_body_bytes
                )
                for alias, message in request.inputs.items()
            }
            name = request.model_spec.signature_name
            name = name or inference.DEFAULT_SIGNATURE
            if name in engine.signatures:
                self._check_inputs(engine.signatures[name].inputs, inputs)
            outputs = inference.predict(
                monitoring.TimedEngine(
                    engine, request.model_spec.name, "Predict"
                ),
                name,
                inputs,
                request.output_filter,
            )
        response = predict_pb2.PredictResponse()
        _fill_spec(response.model_spec, request.model_spec, version)
        for alias, array in outputs.items():
            tensor_proto.write(array, response.outputs[alias])
        return response

    def _classify(self, request):
        name = request.model_spec.signature_name
        with calls.servable(self._versions, request.model_spec) as (
            version,
            engine,
        ):
            examples = self._examples(request.input, request.model_spec.name)
            results = inference.classify(
                monitoring.TimedEngine(
                    engine, request.model_spec.name, "Classify"
                ),
                name,
                examples,
            )
        response = classification_pb2.ClassificationResponse()
        _fill_spec(response.model_spec, request.model_spec, version)
        _fill_classes(response.result, results)
        return response

    def _regress(self, request):
        name = request.model_spec.signature_name
        with calls.servable(self._versions, request.model_spec) as (
            version,
            engine,
        ):
            examples = self._examples(request.input, request.model_spec.name)
            values = inference.regress(
                monitoring.TimedEngine(
                    engine, request.model_spec.name, "Regress"
                ),
                name,
                examples,
            )
        response = regression_pb2.RegressionResponse()
        _fill_spec(response.model_spec, request.model_spec, version)
        for value in values:
            response.result.regressions.add(value=value)
        return response

    def _multi_inference(self, request):
        spec = _spec_of_all(request)
        with calls.servable(self._versions, spec) as (version, engine):
            examples = self._examples(request.input, spec.name)
            results = multi_inference.infer(
                monitoring.TimedEngine(engine, spec.name, "MultiInference"),
                request.tasks,
                examples,
            )
        response = inference_pb2.MultiInferenceResponse()
        for task, found in zip(request.tasks, results, strict=True):
            result = response.results.add()
            _fill_spec(result.model_spec, task.model_spec, version)
            if isinstance(found, list):
                _fill_classes(result.classification_result, found)
                continue
            for value in found:
                result.regression_result.regressions.add(value=value)
        return response

    def _metadata(self, request):
        if not request.HasField("model_spec"):
            raise errors.invalid_argument("Missing ModelSpec")
        if not request.metadata_field:
            raise errors.invalid_argument(
                "GetModelMetadataRequest must specify at least one "
                "metadata_field"
            )
        for field in request.metadata_field:
            if field != "signature_def":
                raise errors.invalid_argument(
                    f"Metadata field {field} is not supported"
                )
        signatures = get_model_metadata_pb2.SignatureDefMap()
        with calls.servable(self._versions, request.model_spec) as (
            version,
            engine,
        ):
            for name, signature in engine.signatures.items():
                signatures.signature_def[name].CopyFrom(signature)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = version
        response.metadata["signature_def"].Pack(signatures)
        return response

    def _check_inputs(self, infos, inputs):
        for alias, array in inputs.items():
            if alias not in infos:
                continue
            dims = infos[alias].tensor_shape.dim
            if dims and dims[0].size == -1 and array.ndim:
                self._limits.require_batch(len(array))

    def _examples(self, message, model_name):
        found = example_input.serialized(message, self._limits)
        monitoring.count_examples(model_name, len(found))
        return found


def _spec_of_all(request):
    # As there, the first task says which version answers.
    if request.tasks:
        return request.tasks[0].model_spec
    return model_pb2.ModelSpec()


def _fill_classes(result, rows):
    for pairs in rows:
        row = result.classifications.add()
        for label, score in pairs:
            row.classes.add(label=label.decode("utf-8", "replace"), score=score)


def _fill_spec(spec, asked, version):
    spec.name = asked.name
    spec.signature_name = asked.signature_name or inference.DEFAULT_SIGNATURE
    spec.version.value = version
