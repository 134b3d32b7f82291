"""Tests for programs/train.py; whole runs: tests/integration."""

import contextlib
from unittest import mock

import pytest

from tf_simmim.programs import run_callbacks
from tf_simmim.programs import run_settings
from tf_simmim.programs import train


@pytest.mark.parametrize("fails", ["write_model", "write_record"])
def test_workers_share_what_fails_and_a_record_ends_no_run(fails):
    shared = []

    @contextlib.contextmanager
    def sharing_errors():
        try:
            yield
        except OSError as error:
            shared.append(error)
            raise

    context = mock.MagicMock(total_steps=1, phases=[None])
    context.workers.sharing_errors = sharing_errors
    getattr(context.directory, fails).side_effect = OSError(28, "No space left")
    with (
        mock.patch.object(train.training, "phase_at", return_value=0),
        mock.patch.object(train.training, "last_step", return_value=1),
        mock.patch.object(train, "_create_stage"),
        mock.patch.object(run_callbacks, "create"),
        mock.patch.object(run_settings, "record_of"),
        mock.patch.object(train.input_flags, "training_batches"),
    ):
        fits = train._create_fits(mock.Mock(), context, mock.Mock(), 0, 0)
        if fails == "write_model":
            with pytest.raises(OSError, match="No space left"):
                next(fits)
        else:
            assert next(fits).num_steps == 1
    assert len(shared) == (fails == "write_model")
