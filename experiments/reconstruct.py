"""Launches tf_simmim/programs/reconstruct.py; see its --help."""

import sys

from tf_simmim.programs import reconstruct

if __name__ == "__main__":
    reconstruct.launch(sys.argv)
