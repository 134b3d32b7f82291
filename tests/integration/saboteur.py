"""A real program of `experiments/`, in a process that may kill itself.

    python tests/integration/saboteur.py PROGRAM FOLDER STEPS_FILE \
        OPERATIONS_FILE KILL [FLAG ...]

It notes the images of every training step and the operations on the files of
FOLDER, and kills itself at one of them: KILL is `before`, `during` or `after`,
one of the operations, and how many times that has to come up, as in
`after fsync checkpoints 2`; or nothing.
"""

import tf_simmim  # noqa: I001  (sets TensorFlow up; must come first)
import tensorflow as tf

import functools
import os
import pathlib
import random
import re
import runpy
import signal
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from tests.integration import programs  # noqa: E402

# Of a step or a process; and what tells two of them apart.
_NUMBER = re.compile(r"\b[0-9a-f]{8}\b|[0-9]+")
# About what it takes to write a checkpoint of this size, in seconds.
_LONGEST_WRITE = 0.01


class Saboteur:
    """Notes operations on the files of a folder, and kills at one of them."""

    def __init__(self, folder, operations_file, kill):
        self._folder = folder
        self._operations_file = operations_file
        self._moment, _, rest = kill.partition(" ")
        self._operation, _, times = rest.rpartition(" ")
        self._times_left = int(times or 0)
        self._delay = random.Random(kill).uniform(0, _LONGEST_WRITE)

    def watch(self, owner, name, path_of):
        """Replaces `owner.name`; `path_of` finds the path in its arguments."""
        function = getattr(owner, name)

        @functools.wraps(function)
        def watched(*args, **kwargs):
            path = str(path_of(*args, **kwargs))
            if not path.startswith(self._folder):
                return function(*args, **kwargs)
            moment = self._note(name, os.path.relpath(path, self._folder))
            if moment == "before":
                _die()
            if moment == "during":
                threading.Timer(self._delay, _die).start()
            result = function(*args, **kwargs)
            if moment == "after":
                _die()
            return result

        setattr(owner, name, watched)

    def _note(self, name, path):
        """Returns the moment at which to die, or None."""
        operation = f"{name} {_NUMBER.sub('N', path)}"
        with open(self._operations_file, "a", encoding="utf-8") as file:
            file.write(operation + "\n")
        if operation != self._operation:
            return None
        self._times_left -= 1
        return None if self._times_left else self._moment


def _die():
    os.kill(os.getpid(), signal.SIGKILL)


def _opened(descriptor):
    return os.readlink(f"/proc/self/fd/{descriptor}")


def _removed(path, *, dir_fd=None):
    return os.path.join("" if dir_fd is None else _opened(dir_fd), path)


def _note_steps(steps_file):
    """Lets every model note the images of each training step."""
    for kind in (
        tf_simmim.models.SimMIM,
        tf_simmim.models.Classifier,
        tf_simmim.models.Segmenter,
    ):
        kind.train_step = _noting(kind.train_step, steps_file)


def _noting(train_step, steps_file):
    def noted_train_step(model, data):
        tf.print(
            model.optimizer.iterations,
            data["index"],
            summarize=-1,
            output_stream=f"file://{steps_file}",
        )
        return train_step(model, data)

    return noted_train_step


def _main(program, folder, steps_file, operations_file, kill, *arguments):
    program = programs.ROOT / "experiments" / program
    sys.path.insert(0, str(program.parent))

    _note_steps(steps_file)
    saboteur = Saboteur(folder, operations_file, kill)
    saboteur.watch(tf.train.Checkpoint, "write", lambda _, path: path)
    saboteur.watch(tf.train, "load_checkpoint", pathlib.Path)
    saboteur.watch(tf.saved_model, "save", lambda _, path, **options: path)
    saboteur.watch(os, "fsync", _opened)
    saboteur.watch(os, "rename", lambda source, _: source)
    saboteur.watch(os, "replace", lambda source, _: source)
    saboteur.watch(os, "unlink", _removed)
    saboteur.watch(os, "rmdir", _removed)

    sys.argv = [str(program), *arguments]
    runpy.run_path(str(program), run_name="__main__")


if __name__ == "__main__":
    _main(*sys.argv[1:])
