"""Tests for benchmarks/serving.py and load.py."""

import contextlib
import http.server
import re
import subprocess
import sys
import threading
import time

import load
import pytest

from tests.export import tiny
from tests.integration import programs
from tf_simmim import export


class Clerk(http.server.BaseHTTPRequestHandler):
    """Answers one at a time, and refuses who comes meanwhile."""

    protocol_version = "HTTP/1.1"
    desk = threading.Lock()

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        is_free = self.desk.acquire(blocking=False)
        if is_free:
            time.sleep(0.05)
            self.desk.release()
        self.send_response(200 if is_free else 503)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def requests():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Clerk)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield load.Load(server.server_port, "/", b"[]")
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_client_that_waits_gets_an_answer_after_the_other(requests):
    sent = requests.closed_loop(1, 0.5)
    assert set(sent.statuses) == {200}
    assert 2 <= sent.statuses[200] <= 10
    assert all(0.05 <= latency < 2 for latency in sent.latencies)
    assert sent.throughput() == len(sent.latencies) / sent.seconds <= 20


def test_clients_that_do_not_wait_are_refused_and_counted(requests):
    sent = requests.open_loop(200.0, 0.5, seed=3)
    # As many as the draws have it, however slow the answers are.
    assert 70 < sum(sent.statuses.values()) < 130
    assert set(sent.statuses) == {200, 503}
    assert sent.statuses[200] == len(sent.latencies) <= 40


def test_a_server_that_is_not_there_is_status_0():
    with contextlib.closing(http.server.socketserver.socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sent = load.Load(port, "/", b"[]").open_loop(50.0, 0.2)
    assert set(sent.statuses) == {0} and sent.latencies == []


@pytest.mark.slow
def test_both_servers_have_their_rows(tmp_path):
    model = tiny.simmim()
    export.write_export(
        tmp_path, model, tiny.preprocessing(model), verify=False
    )
    result = subprocess.run(
        [
            *(sys.executable, str(programs.ROOT / "benchmarks" / "serving.py")),
            *(str(tmp_path), "--clients=1,4", "--seconds=0.2"),
            *("--num_rounds=1", "--overload=5"),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    lines = re.findall(r"^\| ((?:one|in) .*) \|$", result.stdout, re.M)
    table = [line.split(" | ") for line in lines]
    assert [row[:2] for row in table[:4]] == [
        ["one by one", "1"],
        ["one by one", "4"],
        ["in batches", "1"],
        ["in batches", "4"],
    ]
    for row in table[:4]:
        answers, middle, late = (float(cell.split()[0]) for cell in row[2:5])
        assert answers > 0 and 0 < middle <= late
        assert row[5].endswith("%")
    assert [row[:2] for row in table[4:]] == [
        ["one by one", "1"],
        ["one by one", "5"],
        ["in batches", "1"],
        ["in batches", "5"],
    ]
    for row in table[4:]:
        assert 0 <= float(row[3].rstrip("%")) <= 100
        assert float(row[6]) > 100  # MB: TensorFlow alone
    assert [row[5].split()[0] for row in table[4::2]] == ["1.00", "1.00"]
