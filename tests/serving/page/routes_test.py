"""Tests for serving.page.routes, over a real socket."""

import contextlib
import io
import json

import numpy as np
import pytest
from PIL import Image

from serving import errors
from serving import workers
from serving.grpc_api import server as server_of_grpc
from serving.page import grpc_examples
from serving.page import pictures
from serving.rest import limits
from tests.export import tiny
from tests.serving import live_server


def test_the_page_lets_nothing_of_others_in(served):
    answer = served.client.ask("GET", "/")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    # Nor does it ask: neither it nor its files name another server.
    for name in ("", "style.css", "main.js", "api.js", "mask_grid.js"):
        path = f"/page/{name}" if name else "/"
        answer = served.client.ask("GET", path)
        assert answer.status == 200, path
        assert b"https:" not in answer.body and b"http:" not in answer.body
        assert b"style=" not in answer.body and b"onclick" not in answer.body
    assert served.client.ask("POST", "/").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/page/none.js",
        "/page/routes.py",
        "/page/../routes.py",
        "/page/..%2froutes.py",
        "/page/%2e%2e/routes.py",
        "/page/pictures/china.jpg",
        "/page/pictures/..%2f..%2froutes.py",
        "/page/",
    ],
)
def test_what_is_in_no_table_is_not_there(served, path):
    assert served.client.ask("GET", path).status == 404


def test_every_picture_can_be_decoded_and_asked_for(served):
    found = served.client.ask("GET", "/page/pictures.json").json()
    names = [picture["name"] for picture in found]
    assert len(names) == 32
    assert names[0] == "china, part 1" and names[12] == "digit 0"
    for picture in found:
        answer = served.client.ask("GET", picture["address"])
        image = Image.open(io.BytesIO(answer.body))
        is_digit = picture["name"].startswith("digit")
        assert picture["channels"] == (1 if is_digit else 3)
        assert image.size == ((64, 64) if is_digit else (160, 160))
        kind = "image/png" if is_digit else "image/jpeg"
        assert answer.headers["content-type"] == kind
        assert np.asarray(image).std() > 5  # No crop is empty.


def test_samples_take_the_place_of_built_in_pictures(served, tmp_path):
    files = {
        "b ä.PNG": tiny.encoded(tiny.photo(1)),
        "a.jpeg": tiny.encoded(tiny.photo(2), "JPEG"),
        "large.bmp": bytes(2**22 + 1),
        "notes.txt": b"no picture",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.png").mkdir()
    found = pictures.samples(tmp_path)
    with live_server.running(served.versions, samples=found) as client:
        told = client.ask("GET", "/page/pictures.json").json()
        assert told == [
            {"name": name, "address": address, "channels": None}
            for name, address in (
                ("a", "/page/pictures/sample-1.jpeg"),
                ("b ä", "/page/pictures/sample-2.png"),
            )
        ]
        for each, name in zip(told, ("a.jpeg", "b ä.PNG"), strict=True):
            answer = client.ask("GET", each["address"])
            assert answer.body == files[name]
        assert answer.headers["content-type"] == "image/png"
        for name in ("sample-3.png", "a.jpeg", "china-1.jpg"):
            assert client.ask("GET", f"/page/pictures/{name}").status == 404


def test_a_folder_without_samples_is_refused(tmp_path):
    with pytest.raises(errors.ServingError, match="must hold PNG, JPEG"):
        pictures.samples(tmp_path)
    with pytest.raises(errors.ServingError, match="No such file.*/none"):
        pictures.samples(tmp_path / "none")
    for i in range(40):
        (tmp_path / f"{i:02d}.gif").write_bytes(b"GIF")
    found = pictures.samples(tmp_path)
    assert [each.name for each in found] == [f"{i:02d}" for i in range(32)]


def test_the_page_is_told_what_is_served(served):
    told = served.client.ask("GET", "/page/models.json").json()
    assert told["limits"] == {"max_body_bytes": 16 * 2**20, "max_batch": 64}
    (model,) = told["models"]
    assert (model["name"], model["version"]) == ("tiny model", 1)
    assert model["signatures"]["reconstruct"] == {
        "inputs": {
            "image_bytes": {"dtype": "string", "shape": [-1]},
            "patch_mask": {
                "dtype": "int32",
                "shape": [-1, tiny.H // tiny.P, tiny.W // tiny.P],
            },
        },
        "outputs": {
            "masked_l1": {"dtype": "float32", "shape": [-1]},
            "reconstruction": {
                "dtype": "float32",
                "shape": [-1, tiny.H, tiny.W, 3],
            },
        },
    }
    assert set(model["examples"]) == set(model["signatures"])
    for texts in model["examples"].values():
        # There is no gRPC beside this server.
        assert list(texts) == ["REST, with curl"]
        url = f"http://127.0.0.1:{served.client.port}/v1/models/tiny%20model"
        assert url in texts["REST, with curl"]


def test_the_page_is_told_of_grpc_where_there_is_some(served):
    address = "127.0.0.1:8500"
    with live_server.running(served.versions, grpc_address=address) as client:
        (model,) = client.ask("GET", "/page/models.json").json()["models"]
    for name, texts in model["examples"].items():
        assert list(texts) == ["REST, with curl", "gRPC, in Python"], name
        program = texts["gRPC, in Python"]
        compile(program, name, "exec")
        assert f"insecure_channel({address!r}" in program
        assert "model_spec.name = 'tiny model'" in program


def test_models_that_come_and_go_do_not_break_it(client):
    """Of two models that are none of ours."""
    told = client.ask("GET", "/page/models.json").json()
    names = [model["name"] for model in told["models"]]
    assert names == ["half_plus_two", "kinds"]
    # Of any rank, and with half floats.
    kinds = told["models"][1]["signatures"]
    assert kinds["half"]["outputs"]["y"]["dtype"] == "float16"
    assert kinds["echo_bool"]["inputs"]["x"]["shape"] is None


@pytest.mark.slow
def test_programs_for_grpc_run_as_they_are_printed(served, tmp_path):
    photo = tmp_path / "a photo's.jpg"
    photo.write_bytes(tiny.encoded(tiny.photo(3), "JPEG"))
    address = f"127.0.0.1:{live_server.free_port()}"
    with (
        contextlib.closing(workers.Workers(2, 4, 60.0)) as pool,
        served.versions.using("tiny model") as (_, engine),
    ):
        server = server_of_grpc.start(
            served.versions, pool, limits.Limits(), [address]
        )
        signatures = engine.signatures
        for name, said in (
            ("features", "features [["),
            ("features_from_pixels", "features [["),
            ("reconstruct_random", "patch_mask [[["),
            ("reconstruct_png", "masked_png_bytes [b'\\x89PNG"),
        ):
            printed = io.StringIO()
            program = grpc_examples.program(
                address, "tiny model", name, signatures[name], str(photo)
            )
            with contextlib.redirect_stdout(printed):
                exec(compile(program, name, "exec"), {})
            assert said in printed.getvalue()
        server.stop(None).wait()


def test_a_classifier_is_asked_with_an_example(versions):
    with versions.using("half_plus_two") as (_, engine):
        for method, module in (
            ("classify", "classification_pb2"),
            ("regress", "regression_pb2"),
        ):
            signature = engine.signatures[f"{method}_x_to_y"]
            text = grpc_examples.program("a:1", "m", "s", signature)
            compile(text, method, "exec")
            request = f"{module}.{method.capitalize()}Request()"
            assert request in text
            assert "feature['image/encoded']" in text


def test_the_document_of_openapi_names_this_model_and_what_is_in_it(served):
    answer = served.client.ask("GET", "/openapi.json")
    document = answer.json()
    assert document["openapi"] == "3.1.0"
    base = "/v1/models/tiny%20model"
    assert set(document["paths"]) == {
        "/healthz",
        "/readyz",
        base,
        f"{base}/metadata",
        f"{base}:predict",
    }
    schemas = document["components"]["schemas"]
    for reference in _values(document, "$ref"):
        assert reference.removeprefix("#/components/schemas/") in schemas
    post = document["paths"][f"{base}:predict"]["post"]
    bodies = post["requestBody"]["content"]["application/json"]["schema"]
    by_name = {each["title"]: each for each in bodies["anyOf"]}
    rows = by_name["reconstruct"]["properties"]["instances"]["items"]
    assert rows["required"] == ["image_bytes", "patch_mask"]
    mask = rows["properties"]["patch_mask"]
    assert (mask["minItems"], mask["items"]["minItems"]) == (2, 3)
    assert mask["items"]["items"] == {"type": "integer"}
    assert by_name["serving_default"]["required"] == ["instances"]
    answers = post["responses"]["200"]["content"]["application/json"]["schema"]
    png = next(a for a in answers["anyOf"] if a["title"] == "reconstruct_png")
    row = png["properties"]["predictions"]["items"]
    bytes_schema = {"$ref": "#/components/schemas/Bytes"}
    assert row["properties"]["masked_png_bytes"] == bytes_schema


def test_the_document_of_openapi_has_other_methods_of_other_models(client):
    document = client.ask("GET", "/openapi.json").json()
    paths = set(document["paths"])
    for method in ("predict", "classify", "regress"):
        path = f"/v1/models/kinds:{method}"
        assert path in paths
        schema = json.dumps(document["paths"][path])
        assert '"examples"' in schema or method == "predict"


def _values(value, key):
    """Returns what stands under a key, anywhere in a value of JSON."""
    if isinstance(value, dict):
        found = [value[key]] if key in value else []
        return found + _values(list(value.values()), key)
    if isinstance(value, list):
        return [found for each in value for found in _values(each, key)]
    return []
