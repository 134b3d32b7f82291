"""Launches tf_simmim/programs/prune.py; see its --help."""

import sys

from tf_simmim.programs import prune

if __name__ == "__main__":
    prune.launch(sys.argv)
