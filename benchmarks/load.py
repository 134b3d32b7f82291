"""Sends one HTTP request to a server of this machine, over and over.

By two rules: in a closed loop each client sends its next request when it has
its answer, so that a slow server gets fewer; in an open loop requests leave at
random times that no answer delays, as those of many strangers do.
"""

import asyncio
import dataclasses
import random
import time

# Of a client that was refused, before it asks again.
PAUSE_SECONDS = 0.05


@dataclasses.dataclass(frozen=True)
class Sent:
    """What came of requests.

    Attributes:
        seconds: float. From the first request to the last answer.
        latencies: list of float, s. Of answers with status 200, from when the
            request was due.
        statuses: {status: number of answers}; 0 stands for no answer.
    """

    seconds: float
    latencies: list
    statuses: dict

    def throughput(self):
        """Returns answers with status 200 in a second."""
        return len(self.latencies) / self.seconds

    def refused(self):
        """Returns the share of requests with status 503."""
        return self.statuses.get(503, 0) / sum(self.statuses.values())


class Load:
    """One request, to one port.

    Args:
        port: int.
        path: str.
        body: bytes.
        timeout_seconds: float. For one answer.
    """

    def __init__(self, port, path, body, timeout_seconds=60.0):
        self._port = port
        self._timeout_seconds = timeout_seconds
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost:{port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}"
            "\r\n\r\n"
        )
        self._request = head.encode() + body

    def closed_loop(self, num_clients, seconds):
        """Keeps so many clients busy for a time; returns `Sent`."""
        return asyncio.run(self._closed_loop(num_clients, seconds))

    def open_loop(self, rate, seconds, seed=0):
        """Sends `rate` requests a second for a time; returns `Sent`.

        Args:
            rate: float, 1/s. Times between requests are exponential.
            seconds: float.
            seed: int. Of these times.
        """
        return asyncio.run(self._open_loop(rate, seconds, seed))

    async def _closed_loop(self, num_clients, seconds):
        began = time.monotonic()
        answers = []

        async def client():
            connection = _Connection(self._port)
            while (due := time.monotonic()) < began + seconds:
                answers.append(await self._answer(connection, due))
                if answers[-1][0] != 200:
                    await asyncio.sleep(PAUSE_SECONDS)
            connection.close()

        await asyncio.gather(*(client() for _ in range(num_clients)))
        return _sent(answers, time.monotonic() - began)

    async def _open_loop(self, rate, seconds, seed):
        draws = random.Random(seed)
        began = due = time.monotonic()
        tasks, idle = [], []
        while (due := due + draws.expovariate(rate)) < began + seconds:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            tasks.append(asyncio.create_task(self._borrowing(idle, due)))
        answers = await asyncio.gather(*tasks)
        for connection in idle:
            connection.close()
        return _sent(answers, time.monotonic() - began)

    async def _borrowing(self, idle, due):
        connection = idle.pop() if idle else _Connection(self._port)
        answer = await self._answer(connection, due)
        idle.append(connection)
        return answer

    async def _answer(self, connection, due):
        """Returns (status, seconds since `due`)."""
        try:
            status = await asyncio.wait_for(
                connection.ask(self._request), self._timeout_seconds
            )
        except (OSError, EOFError, asyncio.TimeoutError):
            connection.close()
            status = 0
        return status, time.monotonic() - due


class _Connection:
    """A connection that is kept open, and opened anew where it was closed."""

    def __init__(self, port):
        self._port = port
        self._reader = self._writer = None

    async def ask(self, request):
        """Sends a request; returns the status of the answer."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(
                "127.0.0.1", self._port
            )
        self._writer.write(request)
        await self._writer.drain()
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        (length,) = (
            int(line.partition(b":")[2])
            for line in head.split(b"\r\n")
            if line.startswith(b"content-length:")
        )
        await self._reader.readexactly(length)
        if b"connection: close" in head:
            self.close()
        return int(head.split(None, 2)[1])

    def close(self):
        """Closes it; `ask` would open it again."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


def _sent(answers, seconds):
    statuses = {}
    for status, _ in answers:
        statuses[status] = statuses.get(status, 0) + 1
    latencies = [latency for status, latency in answers if status == 200]
    return Sent(seconds, latencies, statuses)
