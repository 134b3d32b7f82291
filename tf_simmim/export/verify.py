"""Checks an export before a server loads it; prints one line for each check.

    python -m tf_simmim.export.verify runs/mine/export/1

Exit code: 0, all is well; 1, something is wrong; 2, it was asked the wrong
way. The graph is run only if nothing in it is wrong by its look, and as in
the server: in a Session, with XLA off. See docs/export.md.
"""

import sys

import tensorflow as tf

from tf_simmim.export import verification


def main(arguments: list[str]) -> int:
    """Prints the checks of one folder, and returns the exit code."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    # What is deprecated is the server's own way to load a model.
    tf.get_logger().setLevel("ERROR")
    num_failed = 0
    for check in verification.verify_export(arguments[0], disable_xla=True):
        num_failed += not check.passed
        print(check.line(), flush=True)
    if num_failed:
        print(f"{num_failed} checks have failed: do not serve {arguments[0]}.")
        return 1
    print(f"{arguments[0]} can be served.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
