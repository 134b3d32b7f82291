"""Measures the embedded server under load, with and without batches.

    python benchmarks/serving.py runs/mine/export

Starts `serving/serve.py` twice, without and with --enable_batching (on the
batching parameters beside the graph), and loads them in turn with `features`
of one image, over REST:

- 1, 8 and 32 clients that wait for their answers: answers a second, latency,
  and how many find the queue full (those ask again after 50 ms);
- at capacity, as many requests a second as the most of these answers, and at
  three times that, from clients that do not wait for each other: what is
  refused, how long accepted requests take, how much memory the server takes,
  and when it is ready again.

The client runs on the same machine and takes its share of it. With the
defaults about five minutes.

    python benchmarks/serving.py EXPORT_DIR --starts=5 --baseline=../before

measures starts alone, and in turn those of another checkout of this project:
time and processor time until it serves, warmed up. `--baseline_export` is
another EXPORT_DIR for that one.
"""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import load  # noqa: E402
import numpy as np  # noqa: E402
import spread  # noqa: E402
import tqdm  # noqa: E402
from absl import app  # noqa: E402
from absl import flags  # noqa: E402

from tf_simmim.export import sample_images  # noqa: E402

_CLIENTS = flags.DEFINE_list(
    "clients", ["1", "8", "32"], "How many at a time, each."
)
_SECONDS = flags.DEFINE_float(
    "seconds", 8.0, "Of a measurement.", lower_bound=0.1
)
_NUM_ROUNDS = flags.DEFINE_integer(
    "num_rounds", 3, "Turns of each server.", lower_bound=1
)
_OVERLOAD = flags.DEFINE_float(
    "overload", 3.0, "Requests over what the server can answer."
)
_STARTS = flags.DEFINE_integer(
    "starts", 0, "Measure so many starts of the server, and nothing else."
)
_BASELINE = flags.DEFINE_string(
    "baseline", None, "Checkout whose server is started in turn with this one."
)
_BASELINE_EXPORT = flags.DEFINE_string(
    "baseline_export", None, "What that one serves. Default: the same."
)
_SERVERS = {
    "one by one": (),
    "in batches": (
        "--enable_batching",
        "--enable_per_model_batching_parameters",
    ),
}


class Server:
    """`serving/serve.py` on ports of its own; warmed up once entered.

    Attributes:
        port: int. Of REST.

    Args:
        folder: path of an export.
        arguments: more flags.
        root: path of the checkout that it is of.
    """

    def __init__(self, folder, arguments, root=ROOT):
        self.port = _free_port()
        program = pathlib.Path(root) / "serving" / "serve.py"
        self._command = [
            *(
                sys.executable,
                str(program),
                str(pathlib.Path(folder).resolve()),
            ),
            *("--port=0", f"--rest_api_port={self.port}", *arguments),
        ]
        self._process = None

    def __enter__(self):
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, text=True
        )
        for line in self._process.stdout:
            if line.startswith("Serving at"):
                return self
        sys.exit(f"The server has ended with code {self._process.wait()}.")

    def __exit__(self, *_):
        self._process.terminate()
        self._process.communicate()

    def is_ready(self):
        """Whether `/readyz` says so."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        with contextlib.closing(connection):
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200

    def processor_seconds(self):
        """Returns the processor time that it has taken so far."""
        text = pathlib.Path(f"/proc/{self._process.pid}/stat").read_text()
        user, system = text.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def megabytes(self):
        """Returns the most memory it has taken since the last call, MB."""
        process = pathlib.Path(f"/proc/{self._process.pid}")
        status = (process / "status").read_text()
        (line,) = (x for x in status.splitlines() if x.startswith("VmHWM:"))
        (process / "clear_refs").write_text("5")
        return int(line.split()[1]) / 1024


def request_body(folder):
    """Returns the JSON of one image for `features`."""
    versions = [
        path.parent
        for path in pathlib.Path(folder).glob("*/manifest.json")
        if path.parent.name.isdigit()
    ]
    if not versions:
        raise app.UsageError(
            f"EXPORT_DIR must hold what export.py writes. Received: {folder}."
        )
    newest = max(versions, key=lambda version: int(version.name))
    shape = json.loads((newest / "manifest.json").read_text())["input"]
    (image,) = sample_images.sample_images(
        shape["image_size"], shape["channels"], num_images=1
    )
    instances = [{"b64": base64.b64encode(image).decode()}]
    return json.dumps({"instances": instances}).encode()


def loaded(server, requests, rate):
    """Returns {what: number} of so many requests a second."""
    server.megabytes()
    sent = requests.open_loop(rate, _SECONDS.value, seed=0)
    began = time.monotonic()
    while not server.is_ready():
        time.sleep(0.01)
    after = requests.closed_loop(1, 1.0)
    others = {s: n for s, n in sent.statuses.items() if s not in (200, 503)}
    if others or set(after.statuses) != {200}:
        sys.exit(f"Other answers than 200 and 503: {sent.statuses}.")
    return {
        "accepted": sent.throughput(),
        "refused": sent.refused(),
        "p99": _milliseconds(sent.latencies, 99),
        "megabytes": server.megabytes(),
        "ready": time.monotonic() - began - after.seconds,
        "first": 1e3 * after.latencies[0],
    }


def measure_starts(folder):
    """Prints what a start takes, of this server and of the baseline."""
    servers = {"this": (folder, (), ROOT)}
    if _BASELINE.value:
        other = _BASELINE_EXPORT.value or folder
        servers = {"baseline": (other, (), _BASELINE.value), **servers}
    found = {name: [] for name in servers}
    for _ in tqdm.trange(_STARTS.value, desc="starts"):
        for name, arguments in servers.items():
            began = time.monotonic()
            with Server(*arguments) as server:
                seconds = time.monotonic() - began
                found[name].append((seconds, server.processor_seconds()))
    print("\n| server | until it serves, s | processor time, s |")
    print("|---|---|---|")
    for name, starts in found.items():
        columns = zip(*starts, strict=True)
        cells = " | ".join(spread.spread(c, digits=1) for c in columns)
        print(f"| {name} | {cells} |")
    if _BASELINE.value:
        pairs = list(zip(found["this"], found["baseline"], strict=True))
        ratios = [
            spread.spread([this[i] / before[i] for this, before in pairs])
            for i in range(2)
        ]
        print(f"| this / baseline | {' | '.join(ratios)} |")


def main(argv):
    """Runs the program."""
    if len(argv) != 2:
        raise app.UsageError("Name one folder of an export.")
    if _STARTS.value:
        measure_starts(argv[1])
        return
    clients = [int(number) for number in _CLIENTS.value]
    body = request_body(argv[1])
    rounds = []
    with contextlib.ExitStack() as stack:
        servers = {
            name: stack.enter_context(Server(argv[1], arguments))
            for name, arguments in _SERVERS.items()
        }
        for _ in tqdm.trange(_NUM_ROUNDS.value, desc="rounds"):
            rounds.append(
                {
                    name: measure(
                        server,
                        load.Load(
                            server.port, "/v1/models/default:predict", body
                        ),
                        clients,
                    )
                    for name, server in servers.items()
                }
            )
    report(rounds, clients)


def measure(server, requests, clients):
    """Returns {number of clients: `load.Sent`, "open": list of dict}.

    The latter at capacity and above it.
    """
    requests.closed_loop(max(clients), min(2.0, _SECONDS.value))
    found = {
        number: requests.closed_loop(number, _SECONDS.value)
        for number in clients
    }
    capacity = max(sent.throughput() for sent in found.values())
    found["open"] = [
        loaded(server, requests, times * capacity)
        for times in (1.0, _OVERLOAD.value)
    ]
    return found


def report(rounds, clients):
    """Prints two tables."""
    print("\n| server | clients | answers/s | p50, ms | p99, ms | refused |")
    print("|---|---|---|---|---|---|")
    for name in _SERVERS:
        for number in clients:
            sent = [each[name][number] for each in rounds]
            columns = (
                [s.throughput() for s in sent],
                [_milliseconds(s.latencies, 50) for s in sent],
                [_milliseconds(s.latencies, 99) for s in sent],
            )
            cells = " | ".join(spread.spread(c, digits=1) for c in columns)
            refused = statistics.median(s.refused() for s in sent)
            print(f"| {name} | {number} | {cells} | {refused:.0%} |")
    print(
        "\nClients that do not wait, at capacity and above it:\n\n"
        "| server | load | answers/s | refused | p99, ms | over that at "
        "capacity | MB | ready after, s | next answer, ms |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    for name in _SERVERS:
        for number, times in enumerate((1.0, _OVERLOAD.value)):
            found = [each[name]["open"][number] for each in rounds]
            over = [
                f["p99"] / each[name]["open"][0]["p99"]
                for f, each in zip(found, rounds, strict=True)
            ]
            middle = {
                key: statistics.median(f[key] for f in found)
                for key in found[0]
            }
            print(
                f"| {name} | {times:g} | {middle['accepted']:.1f} | "
                f"{middle['refused']:.0%} | {middle['p99']:.0f} | "
                f"{spread.spread(over)} | {middle['megabytes']:.0f} | "
                f"{middle['ready']:.2f} | {middle['first']:.0f} |"
            )


def _milliseconds(latencies, percentile):
    return 1e3 * float(np.percentile(latencies, percentile))


def _free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


if __name__ == "__main__":
    # EXPORT_DIR may stand before or after the flags.
    flags.FLAGS.set_gnu_getopt(True)
    app.run(main)
