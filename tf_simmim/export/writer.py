"""Writes a model as a SavedModel with all that a server needs beside it."""

import functools
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tf_simmim import atomic_file
from tf_simmim.export import batching
from tf_simmim.export import graph_lint
from tf_simmim.export import manifest as manifests
from tf_simmim.export import prediction_logs
from tf_simmim.export import requests
from tf_simmim.export import tflite as tflite_files
from tf_simmim.export import tflite_conversion
from tf_simmim.export import verification
from tf_simmim.export import version_folders
from tf_simmim.export.signatures import Signatures
from tf_simmim.export.tflite_options import TFLiteOptions
from tf_simmim.models import registry
from tf_simmim.run import environment

# By the type that layers compute in; of the largest number in an answer.
_TOLERANCES = {"float32": 1e-5, "bfloat16": 5e-2, "float16": 5e-3}
_CLASSIFY_METHOD = "tensorflow/serving/classify"


def write_export(
    directory,
    model,
    preprocessing,
    version=None,
    facts=None,
    *,
    max_batch_size=batching.MAX_BATCH_SIZE,
    verify=True,
    tflite=False,
) -> Path:
    """Writes `<directory>/<version>`, which TensorFlow Serving loads.

        saved_model.pb, variables/   the graph of `Signatures`, the weights
        assets.extra/tf_serving_warmup_requests
                                     a request for each signature, with what
                                     the model answered in eager mode
        batching_params.pbtxt        for --enable_per_model_batching_parameters
        tflite/<output>_<kind>.tflite
                                     only with `tflite`: for small devices
        manifest.json                what it is, takes and gives, with hashes

    All is written under another name, looked at as a server will run it (see
    `verify_export`), and renamed: a server that watches the directory sees
    a version that is whole, or none. Where several exports are written at a
    time, each gets a number of its own. What exports that were killed have
    left is removed.

    Nothing in the graph is compiled by XLA, whatever the model was compiled
    with: the server has it off. The weights are those of the model as it is.

    Args:
        directory: path of a folder, made if need be.
        model: a model of `tf_simmim.models`, in any precision.
        preprocessing: `Preprocessing`, for the model's images.
        version: int > 0, or None for the one after the largest that there is
            when all is written.
        facts: JSON-able dict or None. More for the manifest, such as where
            the weights come from.
        max_batch_size: int > 0. Images that a server computes at a time.
        verify: bool. Whether to look at it in a process of its own; half a
            minute.
        tflite: `TFLiteOptions`, or True for its defaults: what to write for
            TensorFlow Lite, too; see `tflite.write`. False for nothing.

    Returns:
        Path of the export.

    Raises:
        ValueError: `version` is not such a number or exists; `max_batch_size`
            is below 1; `tflite` of a model in 16 bits, or
            of an output that it does not give; or what was written
            does not pass, with the checks it has failed. Nothing is left
            then.
        ImportError: the extra `serve` is not installed.
        FloatingPointError: the model answers with numbers that are not
            finite.
    """
    prediction_logs.require_installed()
    if tflite:
        options = TFLiteOptions() if tflite is True else tflite
        for output in options.outputs:
            tflite_conversion.require_possible(model, output)
    sizes = batching.allowed_sizes(max_batch_size)
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    version_folders.sweep(directory)
    number = version_folders.choose(directory, version)
    signatures = Signatures(model, preprocessing)
    with version_folders.writing(directory, number) as temporary:
        logs = requests.create_logs(signatures, sizes)
        functions = _write_graph(temporary, model, preprocessing)
        prediction_logs.write(temporary, logs)
        atomic_file.write_text(
            temporary / batching.FILE_NAME, batching.text(max_batch_size)
        )
        small = {}
        if tflite:
            small = tflite_files.write(temporary, signatures, options)
        content = {
            **(facts or {}),
            "tflite": small,
            **_describe(model, preprocessing, functions, max_batch_size),
        }

        def tell(number):
            manifests.write(temporary, {**content, "version": number})

        tell(number)
        for path in [*temporary.rglob("*"), temporary]:
            atomic_file.sync(path)
        if verify:
            _require_verified(temporary)
        return version_folders.rename(
            temporary, directory, version, number, tell
        )


def _write_graph(folder, model, preprocessing):
    """Writes the SavedModel; returns its functions by name."""
    graph_function = functools.partial(tf.function, autograph=False)
    signatures = Signatures(model, preprocessing, graph_function)
    concrete = {
        name: tf.function(
            _of_declared_shapes(function, signatures.input_specs(name)),
            input_signature=signatures.input_specs(name),
            autograph=False,
        ).get_concrete_function()
        for name, function in signatures.functions().items()
    }
    # The variables that are used and no more: with the model itself, Keras
    # would trace and save every layer, training included.
    module = tf.Module()
    module.weights = _used_variables(concrete.values())
    served = {
        graph_lint.DEFAULT_SIGNATURE: concrete[signatures.default],
        **concrete,
    }
    tf.saved_model.save(
        module,
        str(folder),
        signatures=served,
        options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
    )
    _rewrite_signatures(folder, signatures.default)
    return served


def _rewrite_signatures(folder, default):
    """Says in the file what TensorFlow has no argument for."""
    path = Path(folder) / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for meta_graph in saved.meta_graphs:
        served = meta_graph.signature_def
        # A session optimises a graph for each set of tensors that it is asked
        # for: by two names for one set, it does so once.
        served[graph_lint.DEFAULT_SIGNATURE].CopyFrom(served[default])
        if "classify" in served:
            # TensorFlow writes "predict", which strict servers refuse.
            served["classify"].method_name = _CLASSIFY_METHOD
    path.write_bytes(saved.SerializeToString(deterministic=True))


def _of_declared_shapes(function, specs):
    """Returns `function` with its inputs' shapes checked when it runs.

    A session does not compare what it is fed with the signature, and some
    kernels end the process at a rank that they do not expect: without this one
    request ends a server.
    """

    @functools.wraps(function)
    def checked(*inputs):
        pairs = zip(inputs, specs, strict=True)
        return function(*(tf.ensure_shape(x, spec.shape) for x, spec in pairs))

    return checked


def _used_variables(functions):
    used = {}
    for function in functions:
        for variable in function.variables:
            used[variable.ref()] = variable
    return list(used.values())


def _describe(model, preprocessing, functions, max_batch_size):
    """Returns what the manifest says of the model itself."""
    backbone = model.backbone
    described = environment.describe_environment()
    precision = tf.as_dtype(backbone.compute_dtype).name
    return {
        "kind": registry.kind_of(model).name,
        "model": type(model).__name__,
        "backbone": type(backbone).__name__,
        "grid_size": list(backbone.grid_size),
        "patch_size": backbone.patch_size,
        "num_features": backbone.num_features,
        "class_names": _class_names(model),
        "input": {
            **preprocessing.describe(),
            "max_batch_size": max_batch_size,
        },
        "signatures": {
            name: {
                "inputs": _specs(function.structured_input_signature),
                "outputs": _specs(function.structured_outputs),
            }
            for name, function in functions.items()
        },
        "precision": precision,
        "tolerance": _TOLERANCES[precision],
        "packages": described["packages"],
        "commit": described["commit"],
        "time": described["time"],
    }


def _class_names(model):
    names = getattr(model, "class_names", None)
    return names and list(names)


def _specs(structure):
    specs = {}
    if isinstance(structure, dict):
        specs = structure
    else:
        specs = {spec.name: spec for spec in tf.nest.flatten(structure)}
    return {
        alias: {"dtype": spec.dtype.name, "shape": spec.shape.as_list()}
        for alias, spec in sorted(specs.items())
    }


def _require_verified(folder):
    is_good, lines = verification.verify_in_new_process(folder)
    if not is_good:
        raise ValueError(
            f"What was written cannot be served, and is removed again:\n{lines}"
        )
