"""Launches tf_simmim/programs/pretrain.py; see its --help."""

import sys

from tf_simmim.programs import pretrain

if __name__ == "__main__":
    pretrain.launch(sys.argv)
