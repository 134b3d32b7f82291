"""Launches tf_simmim/programs/detect.py; see its --help."""

import sys

from tf_simmim.programs import detect

if __name__ == "__main__":
    detect.launch(sys.argv)
