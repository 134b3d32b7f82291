"""A browser without a window, driven over the DevTools protocol.

Through two pipes, so that neither a port nor a package for web sockets is
needed: https://chromedevtools.github.io/devtools-protocol/.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_OPTIONS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
    # Of the tests' own server; containers have no user namespaces.
    "--no-sandbox",
)


def find():
    """Returns the path of a browser, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page of a browser.

    Attributes:
        complaints: list of str. What it has refused or warned of: errors of
            scripts, and what the security policy has blocked.
    """

    def __init__(self, process, writer, reader):
        self._process = process
        self._writer = writer
        self._reader = reader
        self._buffer = b""
        self._number = 0
        self._session = None
        self.complaints = []

    def open(self, url):
        """Shows a page, in a window of its own."""
        target = self.send("Target.createTarget", {"url": "about:blank"})
        attached = self.send(
            "Target.attachToTarget",
            {"targetId": target["targetId"], "flatten": True},
        )
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self.send(f"{domain}.enable")
        self.send("Page.navigate", {"url": url})

    def resize(self, width, height, dark=False):
        self.send(
            "Emulation.setDeviceMetricsOverride",
            {
                "width": width,
                "height": height,
                "deviceScaleFactor": 1,
                "mobile": False,
            },
        )
        scheme = {
            "name": "prefers-color-scheme",
            "value": "dark" if dark else "light",
        }
        self.send("Emulation.setEmulatedMedia", {"features": [scheme]})

    def run(self, script):
        """Returns the value of an expression of JavaScript, awaited."""
        answer = self.send(
            "Runtime.evaluate",
            {
                "expression": script,
                "awaitPromise": True,
                "returnByValue": True,
            },
        )
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def wait_until(self, script, seconds=60):
        """Waits until an expression is true, and returns it."""
        deadline = time.monotonic() + seconds
        while not (value := self.run(script)):
            if time.monotonic() > deadline:
                text = self.run("document.body.innerText")
                raise AssertionError(f"{script} never: {text}")
            time.sleep(0.05)
        return value

    def press(self, key, text=""):
        """Presses a key of the keyboard, such as "ArrowDown"."""
        code = {" ": 32, "Enter": 13, "Tab": 9}.get(key, 0)
        event = {"key": key, "windowsVirtualKeyCode": code}
        if text:
            event["text"] = text
        self.send("Input.dispatchKeyEvent", {"type": "keyDown", **event})
        self.send("Input.dispatchKeyEvent", {"type": "keyUp", **event})

    def mouse(self, kind, x, y):
        """Moves the mouse, or presses or releases its left button."""
        self.send(
            "Input.dispatchMouseEvent",
            {
                "type": f"mouse{kind}",
                "x": x,
                "y": y,
                "button": "left",
                "buttons": 0 if kind == "Released" else 1,
                "clickCount": 1,
            },
        )

    def choose_file(self, selector, path):
        """Puts a file into an `<input type="file">`."""
        root = self.send("DOM.getDocument")["root"]
        node = self.send(
            "DOM.querySelector",
            {"nodeId": root["nodeId"], "selector": selector},
        )
        self.send(
            "DOM.setFileInputFiles",
            {"files": [str(path)], "nodeId": node["nodeId"]},
        )

    def drop_file(self, x, y, path):
        """Drags a file from outside over a point, and drops it there."""
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.send(
                "Input.dispatchDragEvent",
                {"type": kind, "x": x, "y": y, "data": data},
            )

    def screenshot(self):
        """Returns the whole page, as a PNG file."""
        answer = self.send(
            "Page.captureScreenshot", {"captureBeyondViewport": True}
        )
        return base64.b64decode(answer["data"])

    def send(self, method, parameters=None):
        """Returns the answer to a command of the protocol."""
        self._number += 1
        message = {
            "id": self._number,
            "method": method,
            "params": parameters or {},
        }
        if self._session:
            message["sessionId"] = self._session
        os.write(self._writer, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + 120
        while True:
            answer = self._read(deadline)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]
            self._note(answer)

    def _read(self, deadline):
        while b"\0" not in self._buffer:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._reader], [], [], max(0, left))
            part = os.read(self._reader, 1 << 16) if ready else b""
            if not part:
                raise AssertionError("The browser does not answer.")
            self._buffer += part
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def _note(self, event):
        parameters = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters["exceptionDetails"]))
        if event.get("method") == "Log.entryAdded":
            entry = parameters["entry"]
            if entry["level"] in ("error", "warning"):
                self.complaints.append(entry["text"])


@contextlib.contextmanager
def running(program):
    """Runs a browser while the context lasts; yields a `Browser`."""
    to_read, writer = os.pipe()
    reader, to_write = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        # The protocol's files are 3 and 4.
        process = subprocess.Popen(
            [
                "bash",
                "-c",
                f'exec "$@" 3<&{to_read} 4>&{to_write}',
                "bash",
                program,
                *_OPTIONS,
                f"--user-data-dir={folder}",
            ],
            pass_fds=(to_read, to_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        try:
            yield Browser(process, writer, reader)
        finally:
            process.kill()
            process.wait()
            os.close(writer)
            os.close(reader)
