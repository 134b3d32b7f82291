"""Models and a server that the tests of a process share."""

import functools

import pytest

from serving import engine
from serving import model_config
from serving import model_versions
from serving import version_policy
from tests.serving import live_server
from tests.serving import saved_models


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """The folder of `saved_models.write`."""
    return saved_models.write(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def versions(models):
    """Both models, loaded."""
    loaded = model_versions.ModelVersions(
        functools.partial(engine.SavedModelEngine, timeout_in_ms=10_000),
        allow_version_labels_for_unavailable_models=True,
    )
    loaded.configure(
        [
            model_config.ModelConfig(
                "half_plus_two",
                str(models / "half_plus_two"),
                version_policy.VersionPolicy("all"),
                {"stable": 123},
            ),
            model_config.ModelConfig("kinds", str(models / "kinds")),
        ]
    )
    loaded.wait_until_available()
    yield loaded
    loaded.close()


@pytest.fixture(scope="session")
def client(versions):
    """A client of a server of both models."""
    with live_server.running(versions) as found:
        yield found
