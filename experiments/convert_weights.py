"""Launches tf_simmim/programs/convert_weights.py; see its --help."""

import sys

from tf_simmim.programs import convert_weights

if __name__ == "__main__":
    convert_weights.launch(sys.argv)
