"""Commands to copy that ask this very model something."""

import json
import math
import shlex
import urllib.parse

import tensorflow as tf

# The feature of an example that holds a file: `tf_simmim.export` names it so.
EXAMPLE_FEATURE = "image/encoded"
# Stands for the bytes of a file; no name in a model holds a zero.
_FILE = "\0"
_FILE_IN_JSON = json.dumps(_FILE)[1:-1]
# A request with more numbers is written by Python, not out in full.
_MAX_NUMBERS = 256
_READ_FILE = (
    "import base64; f = base64.b64encode(open({file!r}, 'rb').read()).decode()"
)


def commands(
    url: str, model_name: str, signatures: dict, file: str = "photo.jpg"
) -> list[str]:
    """Returns commands of the shell: one for status, one for each signature.

    Inputs of strings are bytes of a file, such as those of an image; numbers
    are zero, and dimensions that are not known are 1.

    Args:
        url: str. Of the server, such as "http://127.0.0.1:8501".
        model_name: str.
        signatures: {name: `SignatureDef`}.
        file: str. Name of the file to send.
    """
    model_url = f"{url}/v1/models/{urllib.parse.quote(model_name, safe='')}"
    return [
        f"curl {shlex.quote(model_url)}",
        *(
            _command(model_url, name, signature, file)
            for name, signature in sorted(signatures.items())
            if signature.inputs and signature.outputs
        ),
    ]


def _command(model_url, name, signature, file):
    begin = {} if name == "serving_default" else {"signature_name": name}
    method = method_of(signature)
    target = shlex.quote(f"{model_url}:{method}")
    if method != "predict":
        example = {EXAMPLE_FEATURE: {"b64": _FILE}}
        return _json_command({**begin, "examples": [example]}, target, file)
    inputs = dict(sorted(signature.inputs.items()))
    in_rows = all(
        map(_has_batch, [*inputs.values(), *signature.outputs.values()])
    )
    shapes = {alias: _shape(info, in_rows) for alias, info in inputs.items()}
    if sum(map(math.prod, shapes.values())) <= _MAX_NUMBERS:
        values = {
            alias: _literal(_element(info), shapes[alias])
            for alias, info in inputs.items()
        }
        return _json_command({**begin, **_form(values, in_rows)}, target, file)
    values = {
        alias: _Source(_element(info), shapes[alias])
        for alias, info in inputs.items()
    }
    request = repr({**begin, **_form(values, in_rows)})
    code = f"import json; print(json.dumps({request}))"
    if repr(_FILE) in code:
        code = f"{_READ_FILE.format(file=file)}; " + code.replace(
            repr(_FILE), "f"
        )
    return f"python3 -c {shlex.quote(code)} | curl -d @- {target}"


class _Source:
    """A value of a long list as Python writes it: `[[0.0] * 3] * 5`."""

    def __init__(self, element, shape):
        self._text = repr(element)
        for size in reversed(shape):
            self._text = f"[{self._text}] * {size}"

    def __repr__(self):
        return self._text


def _json_command(request, target, file):
    first, *others = json.dumps(request).split(_FILE_IN_JSON)
    if not others:
        return f"curl -d {shlex.quote(first)} {target}"
    # A photo is too long for an argument, so it goes through a pipe.
    words = [f"printf %s {shlex.quote(first)}"]
    for part in others:
        words.append(f"base64 < {shlex.quote(file)} | tr -d '\\n'")
        words.append(f"printf %s {shlex.quote(part)}")
    return f"({'; '.join(words)}) | curl -d @- {target}"


def method_of(signature):
    """Returns what asks a signature: "predict", "classify" or "regress"."""
    inputs, outputs = signature.inputs, set(signature.outputs)
    if (
        set(inputs) == {"inputs"}
        and tf.as_dtype(inputs["inputs"].dtype) == tf.string
    ):
        if outputs <= {"classes", "scores"}:
            return "classify"
        if outputs == {"outputs"}:
            return "regress"
    return "predict"


def _form(values, in_rows):
    value = next(iter(values.values())) if len(values) == 1 else values
    return {"instances": [value]} if in_rows else {"inputs": value}


def _has_batch(info):
    dims = info.tensor_shape.dim
    return len(dims) > 0 and dims[0].size == -1


def _shape(info, in_rows):
    sizes = [max(dim.size, 1) for dim in info.tensor_shape.dim]
    return sizes[1:] if in_rows else sizes


def _element(info):
    dtype = tf.as_dtype(info.dtype)
    if dtype == tf.string:
        return {"b64": _FILE}
    if dtype == tf.bool:
        return False
    return 0.0 if dtype.is_floating else 0


def _literal(value, shape):
    for size in reversed(shape):
        value = [value] * size
    return value
