"""Launches tf_simmim/programs/compress.py; see its --help."""

import sys

from tf_simmim.programs import compress

if __name__ == "__main__":
    compress.launch(sys.argv)
