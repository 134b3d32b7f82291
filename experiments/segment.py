"""Launches tf_simmim/programs/segment.py; see its --help."""

import sys

from tf_simmim.programs import segment

if __name__ == "__main__":
    segment.launch(sys.argv)
