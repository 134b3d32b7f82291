"""Launches tf_simmim/programs/doctor.py; see its --help."""

import sys

from tf_simmim.programs import doctor

if __name__ == "__main__":
    doctor.launch(sys.argv)
