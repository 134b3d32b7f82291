"""Looks at an export the way a server will run it, before one does."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_simmim.export import batching
from tf_simmim.export import comparison
from tf_simmim.export import graph_lint
from tf_simmim.export import manifest as manifests
from tf_simmim.export import prediction_logs
from tf_simmim.export import served_model
from tf_simmim.export import tflite
from tf_simmim.export.check import Check

# Of an export without a manifest that says how exact its numbers are.
_TOLERANCE = 1e-5
_LINTS = {
    "signatures": graph_lint.signature_problems,
    "types": graph_lint.dtype_problems,
    "batch dimension": graph_lint.batch_problems,
    "no XLA": graph_lint.xla_problems,
    "operations": graph_lint.operation_problems,
}


def verify_export(folder, disable_xla: bool):
    """Looks at an export, one check after the other.

    First what can be read: the manifest with the hashes of all files, the
    batching parameters, and the graph, whose inputs and outputs must have
    types that JSON knows and a batch dimension, which XLA must not have to
    compile, and whose operations must be on the list of
    `allowed_operations`. Only a graph in which nothing is wrong is then
    loaded into a Session, as a server does, and asked every request of the
    warm-up file; what it answers must be what the model answered in eager
    mode, to the tolerance in the manifest (1e-5 for float32). Files for
    TensorFlow Lite are asked for the features of the same pixels.

    Args:
        folder: path of the export, `.../<version>`.
        disable_xla: bool. Whether to switch XLA off first, for good: in a
            process of its own alone. `verify_in_new_process` has one.

    Yields:
        `Check`.
    """
    folder = Path(folder)
    content, tolerance = {}, _TOLERANCE
    try:
        content = manifests.read(folder)
        problems = manifests.problems(folder, content)
        tolerance = float(content["tolerance"])
        yield Check(
            "manifest",
            tuple(problems),
            f"{len(content['files'])} files as they were written",
        )
    except (OSError, ValueError, LookupError, TypeError) as error:
        yield Check("manifest", (_one_line(error),))
    yield _batching_check(folder)
    try:
        meta_graph = graph_lint.read_meta_graph(folder)
    except ValueError as error:
        yield Check("graph", (str(error),))
        return
    detail = {
        "signatures": ", ".join(graph_lint.signatures_of(meta_graph)),
        "operations": f"{graph_lint.num_operations(meta_graph)}, all allowed",
    }
    is_clean = True
    for name, problems_of in _LINTS.items():
        check = Check(
            name, tuple(problems_of(meta_graph)), detail.get(name, "")
        )
        is_clean &= check.passed
        yield check
    try:
        logs = prediction_logs.read(folder)
        yield Check("warm-up file", detail=f"{len(logs)} requests")
    except ValueError as error:
        yield Check("warm-up file", (str(error),))
        return
    if not is_clean:
        why = "the graph is not run: it may do what it must not"
        yield Check("session", detail=why, skipped=True)
        return
    yield from _session_checks(folder, logs, tolerance, disable_xla)
    yield from _tflite_checks(folder, logs, content)


def verify_in_new_process(folder) -> tuple[bool, str]:
    """Runs `python -m tf_simmim.export.verify` on an export.

    Args:
        folder: path.

    Returns:
        (whether all is well, what the program has printed).
    """
    result = subprocess.run(
        [sys.executable, "-m", "tf_simmim.export.verify", str(folder)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return result.returncode == 0, result.stdout or result.stderr


def _batching_check(folder):
    try:
        content = (folder / batching.FILE_NAME).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        return Check("batching parameters", (str(error),))
    return Check("batching parameters", tuple(batching.problems(content)))


def _session_checks(folder, logs, tolerance, disable_xla):
    if disable_xla:
        is_off = served_model.disable_xla()
        yield Check(
            "XLA is off",
            detail="as in the server"
            if is_off
            else "TensorFlow offers no switch here",
            skipped=not is_off,
        )
    try:
        model = served_model.ServedModel(folder)
    except ValueError as error:
        yield Check("session", (_one_line(error),))
        return
    yield Check("session", detail="loaded")
    unasked = set(model.signatures)
    for number, log in enumerate(logs):
        name, inputs = prediction_logs.request_of(log)
        unasked.discard(name)
        yield _answer_check(model, number, name, inputs, log, tolerance)
    model.close()
    yield Check(
        "every signature is warmed up",
        tuple(f"no request asks for {name}" for name in sorted(unasked)),
    )


def _tflite_checks(folder, logs, content):
    for log in logs:
        name, inputs = prediction_logs.request_of(log)
        if name == "features_from_pixels":
            want = prediction_logs.answer_of(log)
            yield from tflite.checks(
                folder, content, inputs["pixels"], want["features"]
            )


def _answer_check(model, number, name, inputs, log, tolerance):
    title = f"request {number}, {name}"
    try:
        got = model.run(name, inputs)
    except (ValueError, tf.errors.OpError) as error:
        return Check(title, (_one_line(error),))
    want = prediction_logs.answer_of(log)
    if not want:
        return Check(title, ("there is no answer to compare with",))
    if not all(map(np.ndim, want.values())):
        return Check(title, ("its answer has no batch dimension",))
    size = len(next(iter(want.values())))
    difference = comparison.largest_difference(got, want)
    return Check(
        title,
        tuple(comparison.answer_problems(got, want, tolerance)),
        f"batch of {size}, at most {difference:.1e} from eager mode",
    )


def _one_line(error):
    message = getattr(error, "message", None) or str(error)
    return " ".join(message.split())[:500]
