"""TensorFlow Serving's rules for several signatures on the same examples."""

from serving import errors
from serving import inference

_CLASSIFY = "tensorflow/serving/classify"
_REGRESS = "tensorflow/serving/regress"


def infer(engine, tasks, examples):
    """Runs the signatures of a MultiInferenceRequest.

    Differs from TensorFlow Serving, which runs them as one: here each runs by
    itself, so that what they share is computed for each of them.

    Args:
        engine: with `signatures` and `run`.
        tasks: sequence of `InferenceTask`.
        examples: list of bytes, at least one. Serialized `tf.train.Example`s.

    Returns:
        list of what `inference.classify` and `inference.regress` return, as
        the `method_name` of each task asks.

    Raises:
        ServingError: the tasks are of several models or of one signature
            twice, or a signature is not there or not for this
            (INVALID_ARGUMENT); a method is another one (UNIMPLEMENTED); or a
            run failed.
    """
    _check(engine, tasks)
    methods = {_CLASSIFY: inference.classify, _REGRESS: inference.regress}
    return [
        methods[task.method_name](
            engine, task.model_spec.signature_name, examples
        )
        for task in tasks
    ]


def _check(engine, tasks):
    seen = set()
    for task in tasks:
        spec = task.model_spec
        if not spec.name:
            raise errors.invalid_argument(
                "Found ModelSpec with an empty model name."
            )
        if spec.name != tasks[0].model_spec.name:
            raise errors.invalid_argument(
                "All ModelSpecs in a MultiInferenceRequest must access the "
                "same model name."
            )
        name = spec.signature_name or inference.DEFAULT_SIGNATURE
        if name in seen:
            raise errors.invalid_argument(
                f"Duplicate evaluation of signature: {name}"
            )
        seen.add(name)
        if name not in engine.signatures:
            raise errors.invalid_argument(
                f"Requested signature not found in model graph: {name}"
            )
        if task.method_name not in (_CLASSIFY, _REGRESS):
            raise errors.ServingError(
                "UNIMPLEMENTED",
                f"Unsupported signature method_name: {task.method_name}",
            )
