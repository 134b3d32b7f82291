"""Flags as they were before each test, and after it."""

import pytest
from absl.testing import flagsaver


@pytest.fixture(autouse=True)
def restored_flags():
    """Puts every flag back that a test has set."""
    with flagsaver.flagsaver():
        yield
