"""Tests for tf_simmim.addons: which of two is taken, and when."""

import sys

import pytest

from tf_simmim import addons
from tf_simmim.addons import focal_loss
from tf_simmim.addons import lamb
from tf_simmim.addons import tqdm_progress_bar

OURS = {
    "LAMB": lamb.LAMB,
    "TQDMProgressBar": tqdm_progress_bar.TQDMProgressBar,
    "sigmoid_focal_crossentropy": focal_loss.sigmoid_focal_crossentropy,
}


def test_originals_are_there_below_python_3_12():
    assert addons.HAS_ORIGINALS == (sys.version_info[:2] in {(3, 10), (3, 11)})


@pytest.mark.parametrize("name", OURS)
def test_ours_is_taken_where_the_original_is_not_to_be_had(name, monkeypatch):
    monkeypatch.setattr(addons, "HAS_ORIGINALS", False)
    assert getattr(addons, name) is OURS[name]


@pytest.mark.parametrize("name", OURS)
def test_the_original_is_taken_where_it_is_to_be_had(name):
    if not addons.HAS_ORIGINALS:
        pytest.skip("tensorflow-addons exists up to Python 3.11.")
    module = getattr(addons, name).__module__
    assert module.split(".")[0] == "tensorflow_addons"


def test_a_name_that_is_not_there_is_refused():
    with pytest.raises(AttributeError, match="no attribute 'Lookahead'"):
        addons.Lookahead  # noqa: B018
