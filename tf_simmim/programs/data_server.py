"""Makes batches for a training run on another machine.

    python experiments/data_server.py --host=HOST --port=5050

on each machine that is to read, decode and augment images, and

    python experiments/pretrain.py --data_service=HOST:5050,HOST2:5050 ...

on the trainer. The run is the same, batch for batch, as without servers. They
must see the images under the paths of --dataset. Ctrl-C and SIGTERM end one.

It runs whatever graph it is sent, and asks nobody who they are: for networks
that you trust alone.
"""

import signal
import sys
import threading

import tensorflow as tf
from absl import flags
from absl import logging

from tf_simmim.programs import command_line

_HOST = flags.DEFINE_string(
    "host", "localhost", "Tell trainers this name or address of this machine."
)
_PORT = flags.DEFINE_integer(
    "port", 5050, "Listen on this port.", lower_bound=1, upper_bound=65534
)
_WORKER_PORT = flags.DEFINE_integer(
    "worker_port",
    None,
    "Send batches through this second port. By default it is the one after "
    "--port.",
    lower_bound=1,
    upper_bound=65535,
)


def main(argv):
    """Runs the program."""
    command_line.refuse_leftovers(argv)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    service = tf.data.experimental.service
    port = _WORKER_PORT.value or _PORT.value + 1
    try:
        dispatcher = service.DispatchServer(
            service.DispatcherConfig(port=_PORT.value)
        )
        worker = service.WorkerServer(
            service.WorkerConfig(
                # Its own dispatcher, and no other: see data/service.py.
                dispatcher_address=f"localhost:{_PORT.value}",
                worker_address=f"{_HOST.value}:{port}",
                port=port,
            )
        )
    except tf.errors.OpError as error:
        sys.exit(
            f"Error: the ports {_PORT.value} and {port} must be free "
            f"({error.message})."
        )
    logging.info(
        "Serving at %s:%d. Trainers take --data_service=%s:%d",
        _HOST.value,
        _PORT.value,
        _HOST.value,
        _PORT.value,
    )
    stopped.wait()
    del worker, dispatcher


def launch(argv):
    """Runs the program, and ends the process.

    Args:
        argv: list of str. The command line, program name first.
    """
    command_line.run(main, argv)
