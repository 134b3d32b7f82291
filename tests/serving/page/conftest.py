"""An export of a small model, served; and a browser, where there is one."""

import contextlib
import dataclasses
import functools
import pathlib

import pytest

from serving import engine
from serving import model_config
from serving import model_versions
from tests.export import tiny
from tests.serving import live_server
from tests.serving.page import chromium
from tf_simmim import export


@dataclasses.dataclass
class Served:
    """A served model: where it lies, and a client of its server."""

    folder: pathlib.Path
    model: object
    versions: model_versions.ModelVersions
    client: live_server.Client


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """`tiny.simmim`, served as `tiny model`: a name to be quoted."""
    with _serving(tmp_path_factory.mktemp("tiny"), tiny.simmim()) as served:
        yield served


@pytest.fixture(scope="session")
def served_classifier(tmp_path_factory):
    """`tiny.classifier`, under the same name."""
    folder = tmp_path_factory.mktemp("classifier")
    with _serving(folder, tiny.classifier()) as served:
        yield served


@pytest.fixture(scope="session")
def opened(served):
    """A browser that shows the page of `served`."""
    with showing(served.client) as browser:
        browser.wait_until("document.body?.dataset.state === 'done'")
        yield browser


@pytest.fixture(scope="session")
def served_both(served, served_classifier):
    """A client of a server of both, as `classifier` and `pretrained`."""
    models = {"classifier": served_classifier, "pretrained": served}
    configs = [
        model_config.ModelConfig(name, str(each.folder.parent))
        for name, each in models.items()
    ]
    with _loaded(configs) as versions, _running(versions) as client:
        yield client


@pytest.fixture
def opened_both(served_both):
    """A browser that shows the page of `served_both`, anew."""
    with showing(served_both) as browser:
        browser.wait_until(
            "document.getElementById('status')?.textContent.includes('done')"
        )
        yield browser


@contextlib.contextmanager
def showing(client):
    program = chromium.find()
    if program is None:
        pytest.skip(f"the page is tested in a browser, one of {chromium.NAMES}")
    with chromium.running(program) as browser:
        browser.open(f"http://127.0.0.1:{client.port}/")
        yield browser


@contextlib.contextmanager
def _serving(directory, model):
    folder = export.write_export(
        directory,
        model,
        tiny.preprocessing(model),
        max_batch_size=2,
        verify=False,
    )
    configs = [model_config.ModelConfig("tiny model", str(directory))]
    with _loaded(configs) as versions, _running(versions) as client:
        yield Served(folder, model, versions, client)


@contextlib.contextmanager
def _loaded(configs):
    versions = model_versions.ModelVersions(
        functools.partial(engine.SavedModelEngine, timeout_in_ms=60_000)
    )
    with contextlib.closing(versions):
        versions.configure(configs)
        versions.wait_until_available()
        yield versions


def _running(versions):
    return live_server.running(versions, max_waiting=8, timeout_seconds=60.0)
