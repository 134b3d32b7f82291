"""Labels without names of classes, one of them missing, through the programs.

The run pretrains on TFRecord files without an index, and is judged while it
trains and afterwards.
"""

import json

import pytest
import tensorflow as tf

from tests.integration import programs
from tf_simmim import data


def write_digits(path, split, num_images, left_out):
    """Writes digits as records with labels, without those of one class."""
    digits = data.open_source("builtin:digits", split)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for k in range(num_images):
            image = digits.read(tf.constant(k, tf.int64))
            label = int(image["label"])
            if label == left_out:
                continue
            png = tf.io.encode_png(image["image"]).numpy()
            feature = {
                "image/encoded": tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[png])
                ),
                "image/class/label": tf.train.Feature(
                    int64_list=tf.train.Int64List(value=[label])
                ),
            }
            features = tf.train.Features(feature=feature)
            example = tf.train.Example(features=features)
            writer.write(example.SerializeToString())


@pytest.mark.slow
def test_a_run_whose_images_lack_a_class_is_judged_to_its_end(tmp_path):
    write_digits(tmp_path / "train-0", "train", 200, left_out=4)
    write_digits(tmp_path / "test-0", "test", 60, left_out=None)
    workdir = tmp_path / "run"
    result = programs.pretrain(
        workdir,
        f"--dataset=tfrecord:{tmp_path}/train-*",
        "--channels=1",
        "--depth=1",
        f"--validation_dataset=tfrecord:{tmp_path}/test-*",
        "--train_steps=8",
        "--evaluate_every=4",
    )
    assert "held-out images that judge the features are of" in result.stderr
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["step"] for row in rows if "linear_block_0" in row] == [4, 8]
    assert all(0.1 < row["linear_block_0"] < 1 for row in rows)

    result = programs.run("evaluate.py", f"--workdir={workdir}")
    assert result.returncode != 0
    assert "0 training images are of class '4'" in result.stderr
    result = programs.run(
        "evaluate.py", f"--workdir={workdir}", "--protocols=knn"
    )
    assert result.returncode == 0, result.stderr
    report = json.loads((workdir / "evaluation.json").read_text())
    assert report["num_classes"] == 10
    # The same features as were judged at the last step.
    score = report["protocols"]["knn"]["pretrained"]["0"]["accuracy"]
    assert score == rows[-1]["knn_block_0"]
