"""Launches tf_simmim/programs/finetune.py; see its --help."""

import sys

from tf_simmim.programs import finetune

if __name__ == "__main__":
    finetune.launch(sys.argv)
