"""Answers HTTP until a signal comes."""

import signal
from collections.abc import Callable

import uvicorn
from starlette import applications


def server(
    application: applications.Starlette,
    address: str,
    port: int,
    grace_seconds: float,
) -> uvicorn.Server:
    """Returns the server of an application, not started.

    It says nothing of itself or of requests, in headers or logs.

    Args:
        application: what answers.
        address: str. IP address to listen on.
        port: int.
        grace_seconds: float > 0. For requests that are being answered when it
            is to end.
    """
    return _Server(
        uvicorn.Config(
            application,
            host=address,
            port=port,
            # Its warnings are of what clients send, and one advises to install
            # what is of no use here.
            log_level="error",
            access_log=False,
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=max(1, round(grace_seconds)),
        )
    )


def run_until_signal(
    http_server: uvicorn.Server, when_listening: Callable[[], None]
) -> None:
    """Runs a server until SIGINT or SIGTERM, and returns.

    Args:
        http_server: of `server`.
        when_listening: called as soon as clients can connect.
    """
    http_server.when_listening = when_listening
    # When it has ended, uvicorn raises the signal again for whoever handled
    # it before.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    http_server.run()
    # Whoever does not want to wait for the rest may say so once more.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class _Server(uvicorn.Server):
    when_listening = staticmethod(lambda: None)

    async def startup(self, sockets=None):
        await super().startup(sockets)
        if self.started:
            self.when_listening()
