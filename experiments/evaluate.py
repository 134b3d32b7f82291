"""Launches tf_simmim/programs/evaluate.py; see its --help."""

import sys

from tf_simmim.programs import evaluate

if __name__ == "__main__":
    evaluate.launch(sys.argv)
