"""Launches tf_simmim/programs/data_server.py; see its --help."""

import sys

from tf_simmim.programs import data_server

if __name__ == "__main__":
    data_server.launch(sys.argv)
