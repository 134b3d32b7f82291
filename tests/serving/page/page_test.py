"""Tests for the page in a browser, over a real socket."""

import base64
import contextlib
import io
import json

import numpy as np
import pytest
from PIL import Image

from serving import engine
from serving import model_config
from serving import model_versions
from serving.page import pictures
from tests.export import tiny
from tests.serving import answering_model
from tests.serving import live_server
from tests.serving.page import conftest
from tf_simmim import visualization

pytestmark = pytest.mark.slow

ROWS, COLUMNS = tiny.H // tiny.P, tiny.W // tiny.P
FAILED = "!document.getElementById('error').hidden"
# Keeps answers back from the page: `window.held` has the functions that let
# them go, and `window.sent` the model of each request and its rows.
HOLD = """(() => {
  const fetched = window.fetch;
  window.held = [];
  window.sent = [];
  window.fetch = async (path, options) => {
    const asked = JSON.parse(options?.body ?? "{}");
    if (asked.instances) {
      const model = path.replace("/v1/models/", "").replace(":predict", "");
      window.sent.push([model, asked.signature_name, asked.instances.length]);
    }
    const answer = await fetched(path, options);
    if (HELD) await new Promise((letGo) => window.held.push(letGo));
    return answer;
  };
})()"""


def text(browser, name):
    return browser.run(f"document.getElementById('{name}').textContent")


def is_shown(browser, name):
    return browser.run(f"document.getElementById('{name}').checkVisibility()")


def choose(browser, model):
    """Chooses a model, and returns at once."""
    browser.run(
        "(() => { const chosen = document.getElementById('model'); "
        f"chosen.value = '{model}'; "
        "chosen.dispatchEvent(new Event('change')); })()"
    )


def wait_for_photo(browser, name):
    browser.wait_until(
        "document.getElementById('status').textContent === "
        f"'{name}: done.' && document.body.dataset.state === 'done'"
    )


def mask(browser):
    """Returns which cells are hidden, by what a screen reader is told."""
    states = browser.run(
        "[...document.querySelectorAll('#cells button')]"
        ".map((cell) => cell.getAttribute('aria-label'))"
    )
    cells = [0 if state.endswith("visible") else 1 for state in states]
    return np.array(cells).reshape(ROWS, COLUMNS).tolist()


def centre(browser, number):
    return browser.run(
        f"(() => {{ const cell = document.querySelectorAll('#cells button')"
        f"[{number}]; cell.scrollIntoView(); "
        "const box = cell.getBoundingClientRect(); "
        "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
    )


def middle(browser, name):
    """Returns the middle of an element, once it is in sight."""
    return browser.run(
        f"(() => {{ const found = document.getElementById('{name}'); "
        "found.scrollIntoView(); const box = found.getBoundingClientRect(); "
        "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
    )


def picture(encoded):
    return Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")


def show_all(browser):
    """Begins with a photo of which nothing is hidden."""
    browser.run("document.querySelectorAll('#built-in button')[7].click()")
    browser.wait_until("document.body.dataset.state === 'done'")
    browser.run("document.getElementById('show-all').click()")
    assert mask(browser) == [[0] * COLUMNS] * ROWS


def answer_for(browser, served, hidden):
    """Waits until the page shows what the server says to a mask."""
    picture = browser.run(
        "fetch('/page/pictures/flower-2.jpg').then((r) => r.arrayBuffer())"
        ".then((b) => btoa(String.fromCharCode(...new Uint8Array(b))))"
    )
    row = {"image_bytes": {"b64": picture}, "patch_mask": hidden}
    answer = served.client.post(
        "/v1/models/tiny%20model:predict",
        {"signature_name": "reconstruct_png", "instances": [row]},
    )
    (pictures,) = answer.json()["predictions"]
    for name, alias in (
        ("filled", "composite"),
        ("predicted", "reconstruction"),
    ):
        want = json.dumps(pictures[f"{alias}_png_bytes"]["b64"])
        browser.wait_until(
            f"document.getElementById('{name}').src.endsWith({want})"
        )


def test_a_visitor_sees_all_there_is_without_a_click(opened):
    assert text(opened, "about").startswith("tiny model, version 1.")
    assert not opened.run(FAILED)
    for name in ("seen", "filled", "predicted"):
        size = opened.wait_until(
            f"(() => {{ const i = document.getElementById('{name}'); "
            "return i.naturalWidth && [i.naturalHeight, i.naturalWidth]; })()"
        )
        assert size == [tiny.H, tiny.W]
    canvas = "document.getElementById('tokens')"
    assert opened.run(f"[{canvas}.height, {canvas}.width]") == [ROWS, COLUMNS]
    assert opened.run("document.querySelectorAll('#near li').length") == 6
    assert text(opened, "hidden") == "50 % hidden"  # Of the run's masks.
    # Nothing was refused by the policy, and no script has failed.
    assert opened.complaints == []


def test_a_click_hides_a_patch_and_a_stroke_several(opened, served):
    show_all(opened)
    place = centre(opened, 4)
    opened.mouse("Pressed", *place)
    opened.mouse("Released", *place)
    assert mask(opened) == [[0, 0, 0], [0, 1, 0]]
    assert text(opened, "hidden") == "17 % hidden"
    answer_for(opened, served, [[0, 0, 0], [0, 1, 0]])
    opened.mouse("Pressed", *centre(opened, 0))
    opened.mouse("Moved", *centre(opened, 1))
    opened.mouse("Moved", *centre(opened, 4))
    opened.mouse("Released", *centre(opened, 4))
    assert mask(opened) == [[1, 1, 0], [0, 1, 0]]
    answer_for(opened, served, [[1, 1, 0], [0, 1, 0]])


def test_the_keyboard_does_the_same(opened, served):
    show_all(opened)
    opened.run("document.querySelector('#cells button').focus()")
    for key in ("ArrowUp", "ArrowRight", "ArrowDown"):
        opened.press(key)
    opened.press(" ", " ")
    assert mask(opened) == [[0, 0, 0], [0, 1, 0]]
    opened.press("ArrowRight")
    opened.press("Enter", "\r")
    opened.press("ArrowRight")
    assert mask(opened) == [[0, 0, 0], [0, 1, 1]]
    label = "document.activeElement.getAttribute('aria-label')"
    assert opened.run(label) == "Row 2, column 3, hidden"
    opened.run("document.getElementById('invert').click()")
    assert mask(opened) == [[1, 1, 1], [1, 0, 0]]
    answer_for(opened, served, [[1, 1, 1], [1, 0, 0]])


def test_a_file_is_shown_and_one_that_is_none_is_refused_in_words(
    opened, tmp_path
):
    photo = tmp_path / "mine.jpg"
    photo.write_bytes(tiny.encoded(tiny.photo(3), "JPEG"))
    shown = "document.getElementById('whole').src"
    before = opened.run(shown)
    opened.choose_file("#file", photo)
    opened.wait_until(
        "document.getElementById('status').textContent === 'mine.jpg: done.'"
    )
    after = opened.run(shown)
    assert after != before
    assert not opened.run(FAILED)
    wrong = tmp_path / "wrong.png"
    wrong.write_bytes(b"this is no picture")
    opened.choose_file("#file", wrong)
    opened.wait_until(FAILED)
    said = text(opened, "error")
    assert "This is not a JPEG, PNG, GIF or BMP image" in said
    assert "[[" not in said  # Names of nodes.
    assert opened.run(shown) == after
    large = tmp_path / "large.png"
    large.write_bytes(bytes(17 << 20))
    opened.choose_file("#file", large)
    opened.wait_until(
        "document.getElementById('error').textContent.includes('large.png')"
    )
    assert "17.0 MiB; this server takes up to 12.0 MiB" in text(opened, "error")
    opened.complaints.clear()  # The 400.


def test_a_photo_is_dropped_anywhere_on_the_page(opened, tmp_path):
    shown = "document.getElementById('whole').src"
    for number, place in ((5, "drop"), (6, "about")):
        before = opened.run(shown)
        photo = tmp_path / f"dropped {number}.png"
        photo.write_bytes(tiny.encoded(tiny.photo(number), "PNG"))
        opened.drop_file(*middle(opened, place), photo)
        opened.wait_until(
            "document.getElementById('status').textContent === "
            f"'dropped {number}.png: done.'"
        )
        assert opened.run(shown) != before
        assert not opened.run(FAILED)
    # The browser has not gone to the file.
    assert opened.run("location.pathname") == "/"
    assert opened.run("document.querySelectorAll('.over').length") == 0


def test_a_screenshot_shows_what_the_server_has_sent(opened, served):
    opened.resize(1300, 2000)
    show_all(opened)
    opened.run("document.querySelectorAll('#cells button')[4].click()")
    answer_for(opened, served, [[0, 0, 0], [0, 1, 0]])
    opened.run(
        "Promise.all([...document.images].map((i) => i.decode()))"
        ".then(() => new Promise(requestAnimationFrame))"
    )
    page = Image.open(io.BytesIO(opened.screenshot())).convert("RGB")
    for name in ("whole", "filled", "predicted"):
        sent = picture(
            opened.run(
                "(() => { const canvas = document.createElement('canvas'); "
                f"const image = document.getElementById('{name}'); "
                "canvas.width = image.naturalWidth; "
                "canvas.height = image.naturalHeight; "
                "canvas.getContext('2d').drawImage(image, 0, 0); "
                "return canvas.toDataURL('image/png').split(',')[1]; })()"
            )
        )
        box = opened.run(
            f"(() => {{ const b = document.getElementById('{name}')"
            ".getBoundingClientRect(); return [b.x + scrollX, b.y + scrollY, "
            "b.right + scrollX, b.bottom + scrollY]; })()"
        )
        # Coarse: the browser enlarges smoothly, and rounds the corners.
        drawn, wanted = (
            np.float32(each.resize((6, 4), Image.Resampling.BOX))
            for each in (page.crop([round(edge) for edge in box]), sent)
        )
        np.testing.assert_allclose(drawn, wanted, atol=16, err_msg=name)
        assert wanted.std() > 5  # Not a flat picture.


def test_colours_of_features_are_those_of_the_feature_pictures(opened):
    rng = np.random.default_rng(5)
    scales = np.array([9.0, 5.0, 3.0, 0.5, 0.4, 0.3])
    tokens = rng.normal(size=[1, 4, 5, 6]) * scales + 7
    want = visualization.feature_colours(tokens).reshape(20, 3)
    rows = json.dumps(tokens.reshape(20, 6).tolist())
    got = opened.run(
        f"import('/page/features.js').then((m) => m.colours({rows}))"
    )
    np.testing.assert_allclose(got, want.astype(int), atol=2)
    flat = opened.run(
        "import('/page/features.js').then((m) => m.colours([[1, 2], [1, 2]]))"
    )
    assert flat == [[128] * 3] * 2
    grids = opened.run(
        "import('/page/features.js').then((m) => "
        "[m.gridOf(6, 16, 24), m.gridOf(49, 96, 96), m.gridOf(8, 20, 10)])"
    )
    assert grids == [[2, 3], [7, 7], [4, 2]]


@pytest.mark.parametrize("width", [360, 1300])
def test_nothing_is_cut_off_at_the_side(opened, width):
    opened.resize(width, 800)
    assert opened.run("document.documentElement.scrollWidth") <= width


def test_examples_follow_the_signature(opened):
    opened.run(
        "(() => { const s = document.getElementById('signature'); "
        "s.value = 'reconstruct'; s.dispatchEvent(new Event('change')); })()"
    )
    assert text(opened, "shapes") == (
        "image_bytes: string [B]; patch_mask: int32 [B, 2, 3] → "
        "masked_l1: float32 [B]; reconstruction: float32 [B, 16, 24, 3]"
    )
    assert "/v1/models/tiny%20model:predict" in text(opened, "examples")


def test_a_class_is_shown_of_the_model_and_photo_that_are_chosen(
    opened_both, served_both
):
    browser = opened_both
    assert text(browser, "about").startswith("classifier, version 1.")
    assert is_shown(browser, "classes") and not is_shown(browser, "masking")
    browser.run("document.querySelectorAll('#built-in button')[7].click()")
    name = browser.run("document.querySelectorAll('#built-in img')[7].alt")
    wait_for_photo(browser, name)
    listed = served_both.ask("GET", "/page/pictures.json").json()
    file = served_both.ask("GET", listed[7]["address"]).body
    answer = served_both.post(
        "/v1/models/classifier:predict",
        {
            "signature_name": "predict",
            "instances": [{"b64": base64.b64encode(file).decode()}],
        },
    )
    (said,) = answer.json()["predictions"]
    # The best first, with its probability. (There are three.)
    scores = dict(zip(tiny.NAMES, said["probabilities"], strict=True))
    best = sorted(scores.items(), key=lambda pair: -pair[1])
    shown = browser.run(
        "[...document.querySelectorAll('#classes li')]"
        ".map((item) => item.textContent)"
    )
    assert [" ".join(line.split()) for line in shown] == [
        f"{name} {100 * score:.1f} %" for name, score in best
    ]
    bars = browser.run(
        "[...document.querySelectorAll('#classes meter')].map((m) => m.value)"
    )
    np.testing.assert_allclose(bars, [score for _, score in best], atol=1e-6)

    choose(browser, "pretrained")
    assert not is_shown(browser, "classes")
    wait_for_photo(browser, listed[0]["name"])
    assert text(browser, "about").startswith("pretrained, version 1.")
    assert not is_shown(browser, "classes") and is_shown(browser, "masking")

    choose(browser, "classifier")
    assert not is_shown(browser, "masking")
    wait_for_photo(browser, listed[0]["name"])
    assert is_shown(browser, "classes")
    assert not browser.run(FAILED)
    assert browser.complaints == []


@pytest.mark.parametrize(
    ("channels", "with_samples", "greeting"),
    [(1, False, "digit 0"), (3, False, "china, part 1"), (1, True, "mine")],
)
def test_the_page_opens_on_a_picture_of_the_models_own_kind(
    tmp_path, channels, with_samples, greeting
):
    """Of a model that is none of an export, with features alone."""
    answering_model.write_features(tmp_path / "m", channels)
    (tmp_path / "samples").mkdir()
    for name in ("mine", "other"):
        file = tmp_path / "samples" / f"{name}.png"
        file.write_bytes(tiny.encoded(tiny.photo(len(name))))
    samples = pictures.samples(tmp_path / "samples") if with_samples else None
    versions = model_versions.ModelVersions(engine.SavedModelEngine)
    with contextlib.closing(versions):
        versions.configure([model_config.ModelConfig("m", str(tmp_path / "m"))])
        versions.wait_until_available()
        with (
            live_server.running(versions, samples=samples) as client,
            conftest.showing(client) as browser,
        ):
            browser.wait_until(
                "document.getElementById('status')?.textContent"
                ".includes('done')"
            )
            assert text(browser, "status") == f"{greeting}: done."
            shown = browser.run(
                "[...document.querySelectorAll('#built-in img')]"
                ".map((image) => image.alt)"
            )
            if with_samples:
                assert shown == ["mine", "other"]
            else:
                assert len(shown) == 32
            near = browser.run(
                "[...document.querySelectorAll('#near img')]"
                ".map((image) => image.alt)"
            )
            assert len(near) == (1 if with_samples else 6)
            assert browser.complaints == []


def test_a_class_that_comes_too_late_is_not_shown(opened_both):
    """The old model answers while the new one's photo is fetched."""
    browser = opened_both
    browser.run(
        HOLD.replace(
            "HELD",
            "asked.signature_name === 'classify' || "
            "window.held.length === 1 && path.startsWith('/page/pictures/')",
        )
    )
    browser.run("document.querySelectorAll('#built-in button')[7].click()")
    browser.wait_until("window.held.length === 1")
    assert not is_shown(browser, "classes")  # That of the photo before.
    choose(browser, "pretrained")
    browser.wait_until("window.held.length === 2")
    browser.run("window.held[0]()")
    browser.run("new Promise((done) => setTimeout(done, 200))")
    assert not is_shown(browser, "classes")
    browser.run("window.held[1]()")
    wait_for_photo(browser, "china, part 1")
    assert not is_shown(browser, "classes")
    assert not browser.run(FAILED)


def test_all_built_in_pictures_are_compared_by_one_model(opened_both):
    """Also where another is chosen between two requests for their features."""
    browser = opened_both
    browser.run(
        HOLD.replace(
            "HELD", "asked.instances?.length > 1 && !window.held.length"
        )
    )
    choose(browser, "pretrained")
    browser.wait_until("window.held.length === 1")
    choose(browser, "classifier")
    wait_for_photo(browser, "china, part 1")
    browser.run("window.held[0]()")
    browser.wait_until(
        "window.sent.filter(([, , rows]) => rows > 1).length === 4"
    )
    sent = browser.run("window.sent.filter(([, , rows]) => rows > 1)")
    assert sent == [["pretrained", "features", 8]] * 4
    choose(browser, "pretrained")
    wait_for_photo(browser, "china, part 1")
    assert browser.run("document.querySelectorAll('#near li').length") == 6
    assert not browser.run(FAILED)
