"""Tests for programs/flags/online_evaluation_flags.py."""

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from tf_simmim import data
from tf_simmim.programs import open_streams
from tf_simmim.programs.flags import online_evaluation_flags


def test_a_single_class_is_refused():
    # Nearest neighbours of one class are right whatever was learned.
    images = np.zeros([4, 6, 9, 1], np.uint8)
    source = data.ArraySource(images, [0] * 4, ["ant"], name="theirs")
    with flagsaver.flagsaver():
        flags.FLAGS.unparse_flags()
        flags.FLAGS(["program", "--dataset=theirs", "--evaluate_every=100"])
        with pytest.raises(ValueError, match="two classes.*theirs, 'ant'"):
            online_evaluation_flags.create_evaluation(
                source,
                source,
                normalization=data.Normalization([0.5], [0.25]),
                num_blocks=2,
                image_size=(6, 9),
                seed=0,
                last_step=9,
                streams=open_streams.OpenStreams(),
            )
