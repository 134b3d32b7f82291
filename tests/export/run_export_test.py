"""Tests for tf_simmim.export.run_export."""

import dataclasses
import json
from unittest import mock

import pytest

from tests.compression import reports
from tests.export import tiny
from tests.programs import picture_run
from tf_simmim import data
from tf_simmim import export
from tf_simmim import run
from tf_simmim import training
from tf_simmim.compression import report_file
from tf_simmim.export import writer


@pytest.fixture
def no_graph():
    """Leaves out what takes seconds and is tested elsewhere."""
    with (
        mock.patch.object(writer, "_write_graph", return_value={}),
        mock.patch.object(writer.requests, "create_logs", return_value=[]),
        mock.patch.object(
            writer, "Signatures", side_effect=export.Signatures
        ) as signatures,
    ):
        yield signatures


def test_a_run_of_pretraining_brings_its_normalisation_and_its_numbers(
    tmp_path, no_graph
):
    path = tmp_path / "mine"
    picture_run.create(path)
    (path / "flags.txt").write_text(
        "--image_mean=0.1,0.2,0.3\n--image_std=0.4,0.5,0.6\n"
    )
    (path / "environment.json").write_text('{"commit": "c0ffee"}')
    (path / "metrics.jsonl").write_text(
        '{"step": 4, "loss": 2.0}\n{"step": 7, "loss": 1.0}\n'
        '{"step": 8, "loss": 0.5}\n'
    )
    (path / "evaluation.json").write_text(
        '{"step": 7, "validation_loss": 0.25, "confusion": [1]}'
    )
    folder = export.export_run(path, max_pixels=99, verify=False)
    assert folder == path / "export" / "1"
    checkpoint = json.loads(
        (path / "checkpoints/step-00000007/manifest.json").read_text()
    )
    told = json.loads((folder / "manifest.json").read_text())
    assert told["run"] == {
        "name": "mine",
        "step": 7,
        "checkpoint": checkpoint["sha256"],
        "commit": "c0ffee",
        "packages": None,
        "metrics": {"step": 7, "loss": 1.0},
        "evaluation": {"step": 7, "validation_loss": 0.25},
    }

    # Rows are facts for people: without them it is the same model.
    (path / "metrics.jsonl").write_text("no rows\n")
    again = export.export_run(path, verify=False)
    told_again = json.loads((again / "manifest.json").read_text())
    assert told_again["run"] == {**told["run"], "metrics": {}}
    assert told["input"]["mean"] == [0.1, 0.2, 0.3]
    assert told["input"]["std"] == [0.4, 0.5, 0.6]
    assert told["input"]["max_pixels"] == 99
    assert told["input"]["crop"] == {"name": "ResizeAndCentreCrop"}
    # What was measured at another step is of other weights.
    (path / "evaluation.json").write_text('{"step": 5, "top_1": 1.0}')
    folder = export.export_run(path, tmp_path / "served", 4, verify=False)
    assert folder == tmp_path / "served" / "4"
    told = json.loads((folder / "manifest.json").read_text())
    assert told["run"]["evaluation"] == {}


def test_a_run_of_fine_tuning_brings_its_crop_and_its_classes(
    tmp_path, no_graph
):
    training.write_model_folder(
        tmp_path / "run",
        tiny.classifier(),
        {"flags.txt": "--crop_fraction=0.8\n--image_mean=0.5,0.5,0.5\n"},
    )
    folder = export.export_run(tmp_path / "run", verify=False)
    told = json.loads((folder / "manifest.json").read_text())
    assert told["class_names"] == list(tiny.NAMES)
    assert told["input"]["crop"]["crop_fraction"] == 0.8
    assert told["input"]["mean"] == [0.5] * 3
    assert told["input"]["std"] == list(data.IMAGENET_STD)
    crop = no_graph.call_args.args[1].crop
    assert isinstance(crop, data.EvaluationCrop)


def test_settings_that_are_not_there_have_the_usual_values(tmp_path):
    training.write_model_folder(tmp_path / "run", tiny.classifier())
    _, preprocessing, _ = export.read_run(tmp_path / "run")
    assert preprocessing.crop.crop_fraction == 224 / 256
    assert preprocessing.normalization.std == data.IMAGENET_STD


def test_a_record_says_how_images_are_made(tmp_path):
    model = tiny.classifier()
    record = run.RunRecord(
        "fine-tuning",
        run.ModelRecord.of(model),
        run.InputRecord(
            model.backbone.image_size,
            3,
            mean=(0.1, 0.2, 0.3),
            std=(0.4, 0.5, 0.6),
            crop={"name": "EvaluationCrop", "crop_fraction": 0.75},
        ),
    )
    path = tmp_path / "run"
    training.write_model_folder(path, model, record=record)
    # For people alone, and no longer what is read.
    (path / "flags.txt").write_text("--crop_fraction=0.5\n")
    _, preprocessing, _ = export.read_run(path)
    assert preprocessing.describe()["crop"] == record.input.crop
    assert preprocessing.normalization.mean == (0.1, 0.2, 0.3)
    assert preprocessing.normalization.std == (0.4, 0.5, 0.6)

    strange = dataclasses.replace(record.input, crop={"name": "Unknown"})
    run.write_record(path, dataclasses.replace(record, input=strange))
    with pytest.raises(ValueError, match="`input.crop` must be one of.*Unkn"):
        export.read_run(path)
    strange = run.InputRecord(record.input.image_size, channels=7)
    run.write_record(path, dataclasses.replace(record, input=strange))
    with pytest.raises(ValueError, match="channels` must be .* Received: 7"):
        export.read_run(path)


def test_a_compression_is_told_without_its_units(tmp_path, no_graph):
    path = tmp_path / "mine"
    picture_run.create(path)
    report = reports.report()
    report_file.write_report(path, report)
    folder = export.export_run(path, verify=False)
    told = json.loads((folder / "manifest.json").read_text())["compression"]
    assert told["selection"] is None
    assert told["agreement"]["kl"] == report.agreement.kl
    assert report_file.from_json(told).original == report.original

    # A server takes no file of TensorFlow Lite, which these numbers are of.
    other = reports.measurement(runtime="TensorFlow Lite")
    report_file.write_report(path, reports.report(compressed=other))
    folder = export.export_run(path, verify=False)
    quantised = json.loads((folder / "manifest.json").read_text())
    (path / "compression.json").write_text("{}")
    folder = export.export_run(path, verify=False)
    damaged = json.loads((folder / "manifest.json").read_text())
    assert "compression" not in quantised | damaged


def test_a_folder_that_is_no_run_is_refused_and_left_as_it_is(tmp_path):
    with pytest.raises(ValueError, match="must be the folder of a run"):
        export.export_run(tmp_path)
    assert not list(tmp_path.iterdir())
