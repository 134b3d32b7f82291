"""Arrays of any shape end a request of our exports, and never the server."""

import numpy as np
import pytest

from serving import engine
from serving import errors
from tests.export import tiny
from tf_simmim import export
from tf_simmim.export import signatures

SHAPES = (
    *([], [2, 1], [1, 1, 1], [2, 2, 5], [2, 2, 3, 1]),
    *([2, tiny.W, tiny.H, 3], [2, tiny.H, tiny.W, 1], [2, tiny.H, tiny.W]),
    [2, tiny.H, tiny.W, 3, 1],
)


def full(spec, shape=None):
    """Returns an array of an input's type: zeros, or files that are none."""
    kind = spec.dtype.as_numpy_dtype
    value = b"x" if kind is object else 0
    return np.full(spec.shape[1:] if shape is None else shape, value, kind)


@pytest.mark.parametrize(
    "make",
    [tiny.simmim, pytest.param(tiny.classifier, marks=pytest.mark.slow)],
)
def test_every_input_is_held_to_its_shape(make, tmp_path):
    model, preprocessing = make(), tiny.preprocessing(make())
    path = export.write_export(tmp_path, model, preprocessing, verify=False)
    loaded = engine.SavedModelEngine(path)
    declared = signatures.Signatures(model, preprocessing)
    count = 0
    for name in declared.functions():
        specs = {spec.name: spec for spec in declared.input_specs(name)}
        good = {a: np.stack([full(spec)] * 2) for a, spec in specs.items()}
        for wrong, spec in specs.items():
            for shape in SHAPES:
                if spec.shape.is_compatible_with(shape):
                    continue
                with pytest.raises(
                    errors.ServingError, match="not compatible with expected"
                ) as raised:
                    loaded.run(name, {**good, wrong: full(spec, shape)})
                assert raised.value.code == "INVALID_ARGUMENT"
                count += 1
    loaded.close()
    assert count >= 45
