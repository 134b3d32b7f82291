"""Starts processes that train together on this machine, or serve data."""

import contextlib
import json
import socket
import time

from tests.integration import programs
from tests.integration import saboteur

TIMEOUT_SECONDS = 600


@contextlib.contextmanager
def training(
    workdir, *arguments, program="pretrain.py", num_workers=2, kill_chief=""
):
    """Starts the workers of a run; whatever is left of them is killed.

    Args:
        workdir: pathlib.Path, shared by all of them.
        *arguments: str. Flags; of pretraining after those of `programs.TINY`.
        program: str. A file of `experiments/`.
        num_workers: int.
        kill_chief: str. Where the chief kills itself, as `saboteur.py` takes
            it; empty for nowhere.

    Yields:
        list of warm_interpreter.Process, the chief first.
    """
    addresses = _free_addresses(num_workers)
    if program == "pretrain.py":
        arguments = (*programs.TINY, *arguments)
    with contextlib.ExitStack() as stack:
        processes = []
        for index in range(num_workers):
            config = {
                "cluster": {"worker": addresses},
                "task": {"type": "worker", "index": index},
            }
            command = (program, f"--workdir={workdir}", *arguments)
            if kill_chief and index == 0:
                notes = (f"{workdir}.steps", f"{workdir}.operations")
                command = (
                    *(saboteur.__file__, program, workdir, *notes, kill_chief),
                    *command[1:],
                )
            process = programs.start(
                *command,
                stderr=log_file(workdir, index),
                TF_CONFIG=json.dumps(config),
            )
            processes.append(process)
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield processes


def run(program, workdir, *arguments):
    """Runs the two workers of a program to their end; they must succeed."""
    with training(workdir, *arguments, program=program) as processes:
        codes = [process.wait(TIMEOUT_SECONDS) for process in processes]
    assert codes == [0] * len(codes), log(workdir, 0) + log(workdir, 1)


def pretrain(workdir, *arguments):
    """Runs `run` on `pretrain.py` with the flags of `programs.TINY`."""
    run("pretrain.py", workdir, *arguments)


@contextlib.contextmanager
def data_server(log_path):
    """Starts `data_server.py`.

    Args:
        log_path: pathlib.Path. What it writes to stderr.

    Yields:
        str: "HOST:PORT" for --data_service.
    """
    address, worker_address = _free_addresses(2)
    ports = [each.rpartition(":")[2] for each in (address, worker_address)]
    server = programs.start(
        "data_server.py",
        f"--port={ports[0]}",
        f"--worker_port={ports[1]}",
        stderr=log_path,
    )
    try:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while "Serving at" not in log_path.read_text(encoding="utf-8"):
            text = log_path.read_text(encoding="utf-8")
            assert server.poll() is None, text
            assert time.monotonic() < deadline, text
            time.sleep(0.05)
        yield f"localhost:{ports[0]}"
    finally:
        server.kill()
        server.wait()


def log(workdir, index):
    """Returns what a worker has written to stderr."""
    return log_file(workdir, index).read_text(encoding="utf-8")


def log_file(workdir, index):
    """Returns the path of a worker's stderr."""
    return workdir.with_name(f"{workdir.name}.{index}.stderr")


def _free_addresses(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
