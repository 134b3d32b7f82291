"""Tests for the help texts of all flags, which --help lists by the alphabet.

So each must say by itself what the flag does.
"""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[2]
FILES = sorted(
    path
    for folder in ("tf_simmim", "serving")
    for path in (ROOT / folder).rglob("*.py")
    if "flags.DEFINE_" in path.read_text(encoding="utf-8")
)
# What a help text begins with: what the program does with the value.
VERBS = {
    *("Accept", "Add", "Allow", "Answer", "Apply", "Ask", "Attend", "Average"),
    *("Begin", "Call", "Check", "Choose", "Compile", "Compress"),
    *("Compute", "Count", "Crop", "Cut", "Decode", "Divide", "Do", "Draw"),
    *("Embed", "Encode", "Encrypt", "End", "Erase", "Evaluate", "Exempt"),
    *("Find", "Give", "Hide", "Hold", "Ignore", "Keep", "Learn", "Let", "List"),
    *("Listen", "Load", "Log", "Look", "Lower", "Make", "Mask", "Measure"),
    *(
        "Merge",
        "Mirror",
        "Mix",
        "Multiply",
        "Offer",
        "Open",
        "Predict",
        "Print",
        "Put",
    ),
    *("Raise", "Read", "Refuse", "Replace", "Run", "Save", "Scale", "Send"),
    *("Serve", "Set", "Show", "Shrink", "Skip", "Split", "Spread", "Stack"),
    *("Start", "Stop", "Store", "Subtract", "Take", "Tell", "Train", "Try"),
    *("Turn", "Update", "Use", "Vary", "Wait", "Weigh", "Work", "Write"),
}


def _text(node):
    """Returns a string of the source, {} in the place of what is computed."""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    return node.value if isinstance(node, ast.Constant) else "{}"


def flags_of(path):
    """Yields (name, whether it has no default, help) of a file's flags."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        function = getattr(node, "func", None)
        if getattr(function, "attr", "").startswith("DEFINE_"):
            name, default, *rest = node.args
            text = rest[1] if function.attr == "DEFINE_enum" else rest[0]
            is_unset = isinstance(default, ast.Constant) and (
                default.value is None
            )
            yield name.value, is_unset, _text(text)


def test_there_are_flags_in_all_rooms():
    assert {"data_flags.py", "serve_flags.py", "prepare.py"} <= {
        path.name for path in FILES
    }
    assert sum(len(list(flags_of(path))) for path in FILES) > 150


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_flag_says_by_itself_what_it_does(path):
    for name, is_unset, text in flags_of(path):
        first = text.partition(" ")[0]
        assert first in VERBS, f"--{name}: {text}"
        assert text.endswith("."), f"--{name}: {text}"
        if is_unset:
            assert "By default" in text, f"--{name}: {text}"
