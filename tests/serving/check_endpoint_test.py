"""Tests for serving/check_endpoint.py, on the embedded server."""

import contextlib
import json
import os
import pathlib
import re
import shlex
import shutil
import sys

import pytest
from absl import flags
from absl.testing import flagsaver
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from serving import check_endpoint
from serving import workers
from serving.conformance import docker
from serving.conformance import exchanges
from serving.conformance import models
from serving.grpc_api import server as grpc_server
from serving.rest import limits
from tests.integration import warm_interpreter
from tests.serving import live_server

PROGRAM = pathlib.Path(check_endpoint.__file__)
# Stands for Docker: serves with what comes after the image's name, on the
# ports that are published.
DOCKER = f"""#!{sys.executable}
import os, re, sys
words = sys.argv[1:]
place = next(i for i, x in enumerate(words) if x.startswith("tensorflow/"))
ports = dict(x.split(":")[:0:-1] for x in words if re.match("127.*:850", x))
flags = words[place + 1:]
if os.environ.get("PLANT"):
    path = flags[0].partition("=")[2]
    text = open(path).read().replace("value: 123", "value: 124")
    open(path, "w").write(text)
os.execv(sys.executable, [sys.executable, {str(PROGRAM.parent)!r}
  + "/serve.py", *flags, "--port=" + ports["8500"],
  "--rest_api_port=" + ports["8501"]])
"""


def run(*arguments, **environment):
    """Runs the program to its end."""
    return warm_interpreter.run(
        [PROGRAM, *arguments], PROGRAM.parents[1], timeout=500, **environment
    )


@pytest.fixture(scope="module")
def addresses(client, versions):
    """URL and gRPC address of a server of the models."""
    pool = workers.Workers(2, 4, 60.0)
    address = f"127.0.0.1:{live_server.free_port()}"
    with contextlib.closing(pool):
        server = grpc_server.start(versions, pool, limits.Limits(), [address])
        yield f"http://127.0.0.1:{client.port}", address
        server.stop(None).wait()


@pytest.fixture
def parsed():
    """Flags at their defaults, which a test may change."""
    flags.FLAGS.mark_as_parsed()
    with flagsaver.flagsaver():
        yield


def test_the_embedded_server_answers_as_expected(addresses, parsed, capsys):
    url, address = addresses
    with flagsaver.flagsaver(grpc=address):
        with pytest.raises(SystemExit) as caught:
            check_endpoint.main(["", f"{url}/"])
    assert not caught.value.code
    *lines, summary = capsys.readouterr().out.strip().splitlines()
    number = len(exchanges.read("rest")) + len(exchanges.read("grpc"))
    assert sum(line.startswith("same ") for line in lines) == number
    assert summary == (
        f"{number} exchanges: {number} as expected, 0 with a known "
        "difference, 0 different"
    )


def test_planted_differences_are_found_and_known_ones_are_named(
    addresses, parsed, capsys, monkeypatch, tmp_path
):
    shutil.copytree(exchanges.FOLDER, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(exchanges, "FOLDER", tmp_path)
    rest = exchanges.read("rest")
    names = {}

    def plant(kind, exchange, **changes):
        names[kind] = exchange["name"]
        exchange.update(changes)

    def first(test):
        return next(
            e for e in rest if e["name"] not in names.values() and test(e)
        )

    plant("value", first(lambda e: "json" in e), json={"predictions": [1.0]})
    plant("status", first(lambda e: e["status"] == 400), status=500)
    plant("text", first(lambda e: "error" in e), error="Something else")
    offset = first(lambda e: "offset: " in e.get("error", ""))
    plant("known", offset, error=offset["error"].replace(": 0", ": 99"))
    (tmp_path / "rest.json").write_text(json.dumps(rest))
    grpc_calls = exchanges.read("grpc")
    call = next(e for e in grpc_calls if "response" in e)
    plant("message", call, response={})
    call = next(e for e in grpc_calls if e.get("code") == "NOT_FOUND")
    plant("code", call, code="INTERNAL")
    (tmp_path / "grpc.json").write_text(json.dumps(grpc_calls))

    url, address = addresses
    assert check_endpoint.check(url, address) == 5
    out = capsys.readouterr().out
    found = re.findall(r"(?m)^(known|DIFFERENT) +(.*?): ", out)
    want = {(kind == "known", name) for kind, name in names.items()}
    assert {(verdict == "known", name) for verdict, name in found} == want
    assert "(offset in a JSON parse error)" in out
    assert out.endswith("1 with a known difference, 5 different\n")


@pytest.mark.parametrize(
    "words", [[], ["http://a:1", "http://b:1"], ["ftp://a:1"], ["localhost:1"]]
)
def test_what_is_no_endpoint_is_refused(words, parsed):
    with pytest.raises(SystemExit, match="URL"):
        check_endpoint.main(["", *words])


def test_a_server_that_is_not_there_is_said_so(parsed, addresses):
    url = f"http://127.0.0.1:{live_server.free_port()}"
    with pytest.raises(SystemExit, match="does not answer"):
        check_endpoint.main(["", url])
    with flagsaver.flagsaver(grpc=url.removeprefix("http://")):
        with pytest.raises(SystemExit, match="does not answer"):
            check_endpoint.main(["", addresses[0]])


def test_docker_gets_no_more_than_it_needs():
    command = docker.command(pathlib.Path("/m"), docker.IMAGE, 1, 2)
    text = shlex.join(command)
    for words in (
        *("--read-only", "--user 1000:1000", "--cap-drop ALL", "/m:/m:ro"),
        *("127.0.0.1:1:8500", "127.0.0.1:2:8501"),
    ):
        assert words in text
    assert re.search(r"tensorflow/serving:\d+\.\d+\.\d+ ", text)


@pytest.mark.slow
def test_written_models_come_with_commands_that_serve_them(tmp_path):
    folder = tmp_path / "a b"
    result = run(f"--write_models={folder}")
    assert result.returncode == 0, result.stderr
    assert "docker run " in result.stdout
    assert f"'--model_config_file={folder}/models.config'" in result.stdout
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((folder / models.CONFIG_NAME).read_text(), config)
    found = [each.name for each in config.model_config_list.config]
    assert sorted(found) == sorted(models.NAMES)
    for each in config.model_config_list.config:
        assert pathlib.Path(each.base_path).is_dir()


@pytest.mark.slow
@pytest.mark.parametrize("plant", ["", "1"])
def test_one_command_starts_docker_and_asks(tmp_path, plant):
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    result = run("--docker", PATH=path, PLANT=plant)
    assert result.returncode == bool(plant), result.stderr
    lines = result.stdout.splitlines()
    different = [line for line in lines if line.startswith("DIFFERENT")]
    # Over REST and over gRPC.
    for name in ("rows, label", "predict, label"):
        found = any(f" {name}: " in line for line in different)
        assert found == bool(plant), different
    assert bool(different) == bool(plant)


@pytest.mark.slow
def test_without_docker_one_sentence_says_so(tmp_path):
    result = run("--docker", PATH=str(tmp_path))
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("The server does not answer: ") and "docker" in last
