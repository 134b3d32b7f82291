"""Tests for tf_simmim.programs.run_images, and of flags that use it."""

import dataclasses
import pathlib
from unittest import mock

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from tf_simmim import data
from tf_simmim import export
from tf_simmim import run
from tf_simmim import training
from tf_simmim.data.sources import digits
from tf_simmim.programs import run_images
from tf_simmim.programs.flags import tflite_flags

RUNS = pathlib.Path(__file__).parents[1] / "golden" / "runs" / "0.1.0"
RUN = RUNS / "finetune"


@pytest.fixture(scope="module")
def classifier():
    return training.load_pretrained(RUN)


def test_held_out_images_come_with_labels_as_the_run_prepares_them(classifier):
    record = run.read_record(RUN)
    batches, name = run_images.batches(record, classifier, "held_out", 100)
    rows = list(batches)
    assert name == "builtin:digits, held-out"
    assert [len(row["label"]) for row in rows] == [64, 36]
    source = digits.DigitsSource("test")
    index = rows[0]["index"][3]
    assert rows[0]["label"][3] == source.read(index)["label"]
    prepared = export.Preprocessing.of_record(record.input, (32, 32))
    want = prepared.crop(source.read(index)["image"])
    images = run_images.pixels(record, classifier, "held_out", 4)
    assert images.shape == (4, 32, 32, 1)
    np.testing.assert_allclose(images[3], want, atol=1e-3)


def test_another_source_can_be_named(classifier):
    record = run.read_record(RUN)
    batches, name = run_images.batches(
        record, classifier, "training", 5, "builtin:photos"
    )
    assert name.startswith("builtin:photos")
    assert next(iter(batches))["image"].shape == (5, 32, 32, 1)
    _, name = run_images.batches(record, classifier, "training", 5, None, "all")
    assert name == "builtin:digits, all"


def test_images_are_opened_as_training_opened_them(classifier, monkeypatch):
    source, limits = digits.DigitsSource("test"), []
    opened = mock.Mock(return_value=source)
    monkeypatch.setattr(run_images.data, "open_source", opened)

    class Stream(data.ImageStream):
        def __init__(self, *args, max_bad_images, **options):
            limits.append(max_bad_images)
            super().__init__(*args, **options)

        def batches(self, *_, **__):
            return []

    monkeypatch.setattr(run_images.data, "ImageStream", Stream)
    record = run.read_record(RUN)
    settings = {
        **record.settings,
        "dataset": "folder:mine",
        "data_manifest": "good.json",
        "max_pixels": 700,
        "max_bad_images": 3,
    }
    record = dataclasses.replace(record, settings=settings)
    for which in ("training", "held_out"):
        run_images.batches(record, classifier, which, 3)
        assert opened.call_args.args[0] == "folder:mine"
        assert opened.call_args.kwargs["manifest"] == "good.json"
        assert opened.call_args.kwargs["max_pixels"] == 700
    settings["validation_dataset"] = "folder:others"
    run_images.batches(record, classifier, "held_out", 3)
    assert opened.call_args.args[0] == "folder:others"
    assert opened.call_args.kwargs["max_pixels"] == 700
    assert "manifest" not in opened.call_args.kwargs
    # What is not of the run is opened as any other.
    run_images.batches(record, classifier, "training", 3, "folder:x")
    assert not opened.call_args.kwargs.keys() & {"manifest", "max_pixels"}
    assert limits == [3, 3, 3, None]


def test_images_that_there_are_not_are_refused(classifier):
    record = run.read_record(RUN)
    nothing = dataclasses.replace(record, settings={}, data=None)
    with pytest.raises(ValueError, match="which its held-out images are"):
        run_images.open_source(nothing, "held_out", classifier)
    none_held_out = dataclasses.replace(
        record,
        settings={**record.settings, "validation_split": ""},
        data=dataclasses.replace(record.data, splits={"training": "all"}),
    )
    with pytest.raises(ValueError, match="which its held-out images are"):
        run_images.open_source(none_held_out, "held_out", classifier)


def test_flags_say_what_is_written_for_small_devices():
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
    with flagsaver.flagsaver():
        assert tflite_flags.options(RUN) is None
    with flagsaver.flagsaver(
        tflite=True,
        tflite_kinds=["full_int8"],
        tflite_outputs=["logits"],
        tflite_num_calibration_images=3,
    ):
        options = tflite_flags.options(RUN)
    assert options.kinds == ("full_int8",)
    assert options.outputs == ("logits",)
    assert options.calibration.shape == (3, 32, 32, 1)
