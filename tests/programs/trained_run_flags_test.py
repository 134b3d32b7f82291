"""Tests for programs/flags/trained_run_flags.py."""

import dataclasses
from unittest import mock

import pytest

from tests.export import tiny
from tf_simmim import run
from tf_simmim import training
from tf_simmim.programs.flags import trained_run_flags


def test_a_run_that_does_not_fit_is_refused_by_what_it_is(tmp_path):
    model = tiny.classifier()
    size = model.backbone.image_size
    record = run.RunRecord(
        "fine-tuning", run.ModelRecord.of(model), run.InputRecord(size, 3)
    )
    path = tmp_path / "run"
    training.write_model_folder(path, model, record=record)
    flag = mock.Mock(value=str(path))
    with mock.patch.object(trained_run_flags, "RUN", flag):
        trained_run_flags.load_run()
        with pytest.raises(ValueError, match="a classifier predicts no pixels"):
            trained_run_flags.load_simmim()
        strange = dataclasses.replace(record, input=run.InputRecord(size, 7))
        run.write_record(path, strange)
        with pytest.raises(ValueError, match="channels` must be 3.*ived: 7"):
            trained_run_flags.load_run()
