"""No program and no module of the library uses a loader that runs files."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[2]
FOLDERS = ("tf_simmim", "experiments", "benchmarks", "serving", ".ci")
# Names that are refused wherever they are imported, read or called.
NAMES = {
    *("eval", "exec", "compile", "__import__", "import_module"),
    *("pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "torch"),
    *("load_model", "load_weights", "model_from_json", "model_from_config"),
    *("model_from_yaml", "func_load", "enable_unsafe_deserialization"),
    *("deserialize_keras_object", "deserialize", "Lambda", "h5py"),
    *("get_file", "ignore_errors", "py_function", "os.system", "yaml"),
    *("saved_model.load", "hub.load", "KerasLayer", "import_graph_def"),
    *("torch.load", "torch_reader", "add_safe_globals", "loader.load"),
}
# Keyword arguments that make a harmless function dangerous.
KEYWORDS = {
    "allow_pickle": True,
    "try_recover_truncated": True,
    "shell": True,
    "safe_mode": False,
    "weights_only": False,
}
# What opens PyTorch's files, in a process of its own.
READER = "tf_simmim/convert/torch_reader.py"
# Keras calls `from_config` and `compile_from_config` for whoever loads one of
# our models through Keras;
# `load_pretrained` does not (tests/training/model_file_test.py).
ALLOWED = {
    ("tf_simmim/models/classifier.py", "deserialize_keras_object"),
    ("tf_simmim/models/scalable_model.py", "deserialize_keras_object"),
    ("tf_simmim/models/simmim.py", "deserialize_keras_object"),
    ("tf_simmim/models/segmenter.py", "deserialize_keras_object"),
    ("tf_simmim/models/detector.py", "deserialize_keras_object"),
    # Of learning-rate schedules.
    ("tf_simmim/optimization/grouped_adamw.py", "deserialize"),
    # It computes with PyTorch, beside us, and has it load nothing.
    ("benchmarks/peer_torch.py", "torch"),
    # Of safetensors: names, shapes and numbers, nothing else.
    ("tf_simmim/convert/safetensors_file.py", "deserialize"),
    # The server runs what its user names, as TensorFlow Serving does.
    ("serving/engine.py", "loader.load"),
    # Of an export, once `graph_lint` has found nothing in it.
    ("tf_simmim/export/served_model.py", "loader.load"),
    # A program of its own, of which more is demanded below.
    (READER, "torch"),
    (READER, "torch.load"),
    (READER, "add_safe_globals"),
}


def findings(code):
    """Returns the names and keywords in code that are refused."""
    found, keywords = set(), set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value).rpartition(".")[2]
            # `re.compile` and `model.compile` are other functions.
            if node.attr not in ("compile", "eval", "exec"):
                found |= {node.attr, f"{owner}.{node.attr}"}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names}
            names.add(getattr(node, "module", None) or "")
            found |= {part for name in names for part in name.split(".")}
        elif isinstance(node, ast.keyword):
            value = node.value
            expected = KEYWORDS.get(node.arg)
            if expected is not None and not (
                isinstance(value, ast.Constant) and value.value is not expected
            ):
                keywords.add(f"{node.arg}={ast.unparse(value)}")
    return found & NAMES | keywords


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_loader_that_runs_files_is_used(folder):
    found = {
        (str(path.relative_to(ROOT)), name)
        for path in (ROOT / folder).rglob("*.py")
        for name in findings(path.read_text(encoding="utf-8"))
    }
    assert found <= ALLOWED


def test_the_one_loader_of_pickles_takes_weights_alone():
    """And classes under no name but that of a dictionary."""
    tree = ast.parse((ROOT / READER).read_text(encoding="utf-8"))
    calls = {
        ast.unparse(node.func): node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    }
    loads = [name for name in calls if name.endswith("load")]
    assert loads == ["torch.load"]
    keywords = {k.arg: k.value for k in calls["torch.load"].keywords}
    assert ast.unparse(keywords["weights_only"]) == "True"
    (allowed,) = calls["torch.serialization.add_safe_globals"].args
    assert ast.unparse(allowed) == (
        "[(collections.OrderedDict, name) for name in _DICTIONARIES]"
    )


def test_the_loader_of_pickles_is_no_module_of_a_program():
    """Nothing imports it: it runs by its path, with limits of its own."""
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            assert "torch_reader" not in findings(
                path.read_text(encoding="utf-8")
            )


@pytest.mark.parametrize(
    "code, name",
    [
        ("import pickle", "pickle"),
        ("from torch import load", "torch"),
        ("torch.load(path, weights_only=True)", "torch.load"),
        ("torch.load(path, weights_only=False)", "weights_only=False"),
        ("from tf_simmim.convert import torch_reader", "torch_reader"),
        ("tf.keras.models.load_model(path)", "load_model"),
        ("tf.saved_model.load(path)", "saved_model.load"),
        ("tf.keras.layers.Lambda(f)", "Lambda"),
        ("model.load_weights(path)", "load_weights"),
        ("dataset.ignore_errors()", "ignore_errors"),
        ("eval(text)", "eval"),
        ("os.system(text)", "os.system"),
        ("np.load(path, allow_pickle=True)", "allow_pickle=True"),
        ("np.load(path, allow_pickle=flag)", "allow_pickle=flag"),
        ("run(line, shell=True)", "shell=True"),
        (
            "decode(x, try_recover_truncated=True)",
            "try_recover_truncated=True",
        ),
    ],
)
def test_a_loader_that_runs_files_is_found(code, name):
    assert name in findings(code)


@pytest.mark.parametrize(
    "code",
    [
        "np.load(path)",
        "np.load(path, allow_pickle=False)",
        "model.compile()",
        "re.compile(text)",
        "subprocess.run(words, check=True)",
    ],
)
def test_what_is_harmless_is_not_found(code):
    assert not findings(code)
