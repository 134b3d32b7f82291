"""Tests for the page in a browser, over a real socket."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.export import tiny
from tf_simmim import visualization

pytestmark = pytest.mark.slow

ROWS, COLUMNS = tiny.H // tiny.P, tiny.W // tiny.P
FAILED = "!document.getElementById('error').hidden"


def text(browser, name):
    return browser.run(f"document.getElementById('{name}').textContent")


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
