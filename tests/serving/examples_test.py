"""Tests for serving.examples: the commands are run, over a real socket."""

import json
import shutil
import subprocess

import pytest
import tensorflow as tf

from serving import examples
from tests.serving import saved_models

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("curl", "bash", "python3"))),
    reason="The commands need curl, bash and python3.",
)


@pytest.fixture
def run(client, versions, tmp_path):
    """Runs the command of a signature, and returns the answer."""
    file, _ = saved_models.png()
    (tmp_path / "my photo.png").write_bytes(file)

    def run(model, signature):
        with versions.using(model) as (_, engine):
            chosen = {signature: engine.signatures[signature]}
        status, command = examples.commands(
            f"http://127.0.0.1:{client.port}", model, chosen, "my photo.png"
        )
        for each in (status, command):
            result = subprocess.run(
                ["bash", "-c", each],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=True,
                timeout=20,
            )
        return json.loads(result.stdout)

    return run


def test_numbers_are_sent_as_they_stand(run):
    assert run("kinds", "fifth") == {"predictions": [0.0]}
    assert run("kinds", "two") == {
        "predictions": [{"sum": [0.0, 0.0], "twice": 0}]
    }


def test_a_signature_without_a_batch_is_asked_in_columns(run):
    assert run("half_plus_two", "serving_default") == {"outputs": 3.0}
    assert run("kinds", "echo_bool") == {"outputs": False}


def test_a_file_is_sent_as_base64(run):
    _, pixels = saved_models.png()
    assert run("kinds", "png") == {"predictions": [pixels.tolist()]}


def test_examples_hold_the_file_too(run):
    # This model looks for another feature, and says so.
    assert "x" in run("half_plus_two", "classify_x_to_y")["error"]


def test_many_numbers_are_written_by_python(tmp_path, monkeypatch):
    info = tf.compat.v1.saved_model.build_tensor_info
    with tf.Graph().as_default():
        place = tf.compat.v1.placeholder
        signature = tf.compat.v1.saved_model.build_signature_def(
            {
                "pixels": info(place(tf.float32, [None, 20, 30, 3])),
                "image_bytes": info(place(tf.string, [None])),
            },
            {"y": info(place(tf.float32, [None, 2]))},
        )
    _, command = examples.commands("http://h:1", "a b", {"s": signature}, "p")
    assert len(command) < 400
    assert command.endswith(" | curl -d @- http://h:1/v1/models/a%20b:predict")
    (tmp_path / "p").write_bytes(b"\xff")
    result = subprocess.run(
        ["bash", "-c", command.partition(" | ")[0]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    request = json.loads(result.stdout)
    assert request["signature_name"] == "s"
    (row,) = request["instances"]
    assert row["image_bytes"] == {"b64": "/w=="}
    assert row["pixels"] == [[[0.0] * 3] * 30] * 20
