"""Launches tf_simmim/programs/compare.py; see its --help."""

import sys

from tf_simmim.programs import compare

if __name__ == "__main__":
    compare.launch(sys.argv)
