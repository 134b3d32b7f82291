"""Runs programs in forks of interpreters that have imported TensorFlow.

The import is most of what a program does that ends at a mistake, and a third of
a short run. A fork is a process of its own all the same, with its own working
directory, environment, flags, signals and exit code, and TensorFlow has started
nothing before it. Tests of the import itself take a new interpreter.
"""

import atexit
import gc
import json
import os
import pathlib
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import threading

_IDLE = []  # interpreters that run nothing
_LOCK = threading.Lock()


def run(arguments, cwd, timeout, **environment):
    """Runs a program to its end, as `subprocess.run` does.

    Args:
        arguments: path of a Python file, and its command line.
        cwd: working directory.
        timeout: seconds after which it is killed.
        **environment: as in `start`.

    Returns:
        subprocess.CompletedProcess with `stdout` and `stderr` as text.

    Raises:
        subprocess.TimeoutExpired: it took longer.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = [pathlib.Path(folder, name) for name in ("stdout", "stderr")]
        process = start(arguments, cwd, *paths, **environment)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        texts = [path.read_text(encoding="utf-8") for path in paths]
    return subprocess.CompletedProcess(process.args, code, *texts)


def start(arguments, cwd, stdout=os.devnull, stderr=os.devnull, **environment):
    """Starts a program.

    Args:
        arguments: path of a Python file, and its command line.
        cwd: working directory.
        stdout: path of the file to write to. Made anew.
        stderr: the same.
        **environment: environment variables on top of this process'; of what
            is read before TensorFlow is imported, too late.

    Returns:
        Process.
    """
    for path in (stdout, stderr):
        open(path, "w").close()  # There, and empty, as soon as this returns.
    with _LOCK:
        interpreter = _IDLE.pop() if _IDLE else _Interpreter()
    return Process(
        interpreter,
        {
            "arguments": [str(argument) for argument in arguments],
            "cwd": str(cwd),
            "environment": {**os.environ, **environment},
            "files": [os.devnull, str(stdout), str(stderr)],
        },
    )


class Process:
    """One fork: what is used of `subprocess.Popen`."""

    def __init__(self, interpreter, request):
        self._interpreter = interpreter
        self.args = request["arguments"]
        self.returncode = None
        self.pid = interpreter.start(request)

    def wait(self, timeout=None):
        """Returns the exit code, or raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            code = self._interpreter.exit_code(timeout)
            if code is None:
                raise subprocess.TimeoutExpired(self.args, timeout)
            self.returncode = code
            with _LOCK:
                _IDLE.append(self._interpreter)
        return self.returncode

    def poll(self):
        """Returns the exit code, or None."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def send_signal(self, number):
        """Sends a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        """Kills it, unless it has ended."""
        self.send_signal(signal.SIGKILL)


class _Interpreter:
    """A process that forks once for each program, one at a time."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            # Whatever directory it is started in is not to be on its path.
            cwd=pathlib.Path(__file__).parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self._process.communicate)

    def start(self, request):
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def exit_code(self, timeout):
        output = self._process.stdout
        is_there, _, _ = select.select([output], [], [], timeout)
        return int(output.readline()) if is_there else None


def _request_of_fork():
    """Serves requests; returns in each fork, with what it shall run."""
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            return json.loads(line)
        print(process, flush=True)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    return None


def _become(request):
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    for number, path in enumerate(request["files"]):
        writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        file = os.open(path, writing if number else os.O_RDONLY, 0o644)
        os.dup2(file, number)
        os.close(file)
    sys.argv = request["arguments"]
    sys.path[0] = os.path.dirname(sys.argv[0])


if __name__ == "__main__":
    import tf_simmim  # noqa: F401  (what every program imports)

    # isort: split
    import sklearn.datasets  # noqa: F401  (what most import later)

    gc.freeze()  # The collector would write to pages that forks share.
    if (forked := _request_of_fork()) is not None:
        _become(forked)
        # At the top level, so that it ends as a program does: at its last
        # line, by SystemExit or with a traceback.
        runpy.run_path(sys.argv[0], run_name="__main__")
