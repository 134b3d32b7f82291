"""docs/tour.ipynb is as it was run, and runs.

Its cells are run one after another in a process of its own. A real kernel
would take the same code, without magic, and some thirty more packages.
"""

import ast
import base64
import io
import json
import re
import subprocess
import sys

import pytest
from PIL import Image

from tests.integration import programs

NOTEBOOK = programs.ROOT / "docs" / "tour.ipynb"
# What a kernel does with cells, and with an expression at the end of one.
RUN = """
import ast, json, sys
namespace = {"__name__": "__main__", "displayed": []}
for number, source in enumerate(json.load(sys.stdin), start=1):
    body = ast.parse(source, f"cell {number}").body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    statements = ast.Module(body, type_ignores=[])
    exec(compile(statements, f"cell {number}", "exec"), namespace)
    if last is not None:
        code = compile(ast.Expression(last.value), f"cell {number}", "eval")
        value = eval(code, namespace)
        if value is not None:
            namespace["displayed"].append(value._repr_png_())
"""
# Paths of whoever ran it, on any system.
ABSOLUTE = re.compile(r"(?<![\w.)\]])(/[a-z]+/|[A-Z]:\\|file:|~/)")
LARGEST_PICTURE = 150_000  # bytes


def read():
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


def code_cells():
    cells = [c for c in read()["cells"] if c["cell_type"] == "code"]
    return ["".join(cell["source"]) for cell in cells]


def run(sources, cwd):
    return subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps(sources),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )


def outputs():
    return [o for cell in read()["cells"] for o in cell.get("outputs", ())]


def test_the_file_is_a_notebook_of_format_4_5():
    notebook = read()
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    common = {"cell_type", "id", "metadata", "source"}
    keys = {
        "markdown": common,
        "code": common | {"execution_count", "outputs"},
    }
    for cell in notebook["cells"]:
        assert set(cell) == keys[cell["cell_type"]]
        assert re.fullmatch(r"[\w-]{1,64}", cell["id"], re.ASCII)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    for output in outputs():
        assert output["output_type"] in ("stream", "execute_result")
        assert output.get("name", "stdout") == "stdout"  # no warnings


def test_every_cell_parses_is_short_and_is_explained():
    cells = read()["cells"]
    assert cells[0]["cell_type"] == cells[-1]["cell_type"] == "markdown"
    for before, cell in zip(cells, cells[1:], strict=False):
        if cell["cell_type"] == "code":
            assert before["cell_type"] == "markdown"
            assert len(cell["source"]) <= 40
    # The library alone: what the notebook shows can be typed anywhere.
    imported = set()
    for source in code_cells():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                imported |= {name.name for name in node.names}
            if isinstance(node, ast.ImportFrom):
                imported.add(node.module)
    assert imported == {"PIL", "tensorflow", "tf_simmim"}


def test_it_was_run_from_top_to_bottom_and_names_no_place():
    counts = [
        cell["execution_count"]
        for cell in read()["cells"]
        if cell["cell_type"] == "code"
    ]
    assert counts == list(range(1, len(counts) + 1))
    texts = ["".join(cell["source"]) for cell in read()["cells"]]
    for output in outputs():
        texts += output.get("text", ())
        texts += output.get("data", {}).get("text/plain", ())
    for text in texts:
        assert not ABSOLUTE.search(text), text


def test_its_pictures_are_small_and_its_links_lead_somewhere():
    pictures = [
        base64.b64decode(output["data"]["image/png"])
        for output in outputs()
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 3
    for picture in pictures:
        assert len(picture) < LARGEST_PICTURE
        with Image.open(io.BytesIO(picture)) as image:
            assert image.format == "PNG" and min(image.size) > 250
    for cell in read()["cells"]:
        if cell["cell_type"] == "markdown":
            text = "".join(cell["source"])
            for link in re.findall(r"\]\(([^)]+)\)", text):
                assert (NOTEBOOK.parent / link).is_file(), link


def test_a_cell_that_raises_is_named(tmp_path):
    result = run(["x = 1\nx", "y = x / 0"], tmp_path)
    assert result.returncode == 1
    # The number at the end of the first cell is no picture.
    assert "'int' object has no attribute '_repr_png_'" in result.stderr
    result = run(["x = 1", "y = x / 0"], tmp_path)
    assert result.returncode == 1
    assert 'File "cell 2", line 1' in result.stderr
    assert "ZeroDivisionError" in result.stderr


def test_it_shows_what_its_text_says():
    shown = "".join("".join(output.get("text", ())) for output in outputs())
    losses = re.findall(r" val_loss: ([\d.]+)", shown)
    assert len(losses) == 5 and float(losses[-1]) < 0.4
    linear = {
        network: [
            float(row.split()[5])
            for row in shown.splitlines()
            if row.startswith(f"{network}, block")
        ]
        for network in ("pretrained", "untrained")
    }
    assert len(linear["pretrained"]) == len(linear["untrained"]) == 4
    assert min(linear["pretrained"]) > max(linear["untrained"])
    fine_tuned = dict(re.findall(r"(?m)^([a-z ]+): ([\d.]+) % of", shown))
    assert fine_tuned.keys() == {"pretrained", "from scratch"}
    gain = float(fine_tuned["pretrained"]) - float(fine_tuned["from scratch"])
    assert gain > 8


@pytest.mark.slow
def test_its_cells_run_and_the_network_learns(tmp_path):
    """A fifth of the steps, a tenth in fine-tuning, half of the blocks."""
    code = "\0".join(code_cells())
    for long, short in (
        ("depth=4,", "depth=2,"),
        ("steps = 440", "steps = 88"),
        ("steps_per_epoch=40,", "steps_per_epoch=4,"),
    ):
        assert code.count(long) == 1
        code = code.replace(long, short)
    check = """
assert [picture[1:4] for picture in displayed] == [b"PNG"] * 3
best = [
    max(scores["linear"].accuracy for scores in network.values())
    for network in (pretrained, untrained)
]
assert best[0] > best[1] + 0.05, best
(loss,) = history.history["val_loss"]
assert loss < 0.6, loss
assert all(len(curve) == 5 for curve in curves.values())
"""
    result = run([*code.split("\0"), check], tmp_path)
    assert result.returncode == 0, result.stderr
    assert not list(tmp_path.iterdir())
