"""What a model can be asked, as its server describes it."""

import dataclasses

import numpy as np

# Data types that have a JSON form.
_DTYPES = {
    "DT_BOOL": np.bool_,
    "DT_DOUBLE": np.float64,
    "DT_FLOAT": np.float32,
    "DT_INT8": np.int8,
    "DT_INT16": np.int16,
    "DT_INT32": np.int32,
    "DT_INT64": np.int64,
    "DT_STRING": np.object_,
    "DT_UINT8": np.uint8,
    "DT_UINT16": np.uint16,
    "DT_UINT32": np.uint32,
    "DT_UINT64": np.uint64,
}


@dataclasses.dataclass(frozen=True)
class Signature:
    """One function of a model.

    Attributes:
        name: str.
        inputs: {alias: (NumPy data type, shape)}; the shape is a tuple, -1 is
            any size, and None stands for any shape.
        outputs: the same.
    """

    name: str
    inputs: dict
    outputs: dict


def parse(definitions: dict) -> dict[str, Signature]:
    """Returns {name: `Signature`} of a SignatureDefMap in its JSON form.

    Signatures with tensors of types that JSON has no form for are left out.

    Args:
        definitions: {name: SignatureDef as JSON}.
    """
    signatures = {}
    for name, definition in definitions.items():
        sides = [definition.get(side, {}) for side in ("inputs", "outputs")]
        # The operation that initialises a model is listed too, with none.
        dtypes = {i.get("dtype") for side in sides for i in side.values()}
        if dtypes <= set(_DTYPES):
            signatures[name] = Signature(
                name, *({a: _spec(i) for a, i in s.items()} for s in sides)
            )
    return signatures


def _spec(info):
    shape = info.get("tensorShape") or info.get("tensor_shape") or {}
    dims = tuple(int(dim.get("size", 0)) for dim in shape.get("dim", ()))
    unknown = shape.get("unknownRank") or shape.get("unknown_rank")
    return _DTYPES[info["dtype"]], None if unknown else dims
