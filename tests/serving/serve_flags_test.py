"""Tests for serving.serve_flags, in an interpreter of its own.

Flags are of a process, and other programs that are tested in this one have
flags of the same names.
"""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
PROGRAM = """
import json, sys
from absl import flags
from serving import serve_flags
found = []
for address in sys.argv[1:]:
    flags.FLAGS.unparse_flags()
    flags.FLAGS(["serve", f"--address={address}", "--grpc_socket_path=/s"])
    found.append([
        serve_flags.rest_url(),
        serve_flags.reached_grpc_addresses(),
        serve_flags.grpc_addresses(),
    ])
print(json.dumps(found))
"""


def test_every_address_is_shown_as_one_that_this_machine_reaches():
    cases = {
        "127.0.0.1": ("127.0.0.1", "127.0.0.1"),
        "192.0.2.7": ("192.0.2.7", "192.0.2.7"),
        "0.0.0.0": ("127.0.0.1", "0.0.0.0"),
        "2001:db8::7": ("[2001:db8::7]", "[2001:db8::7]"),
        "::": ("[::1]", "[::]"),
        "0:0:0:0:0:0:0:0": ("[::1]", "[0:0:0:0:0:0:0:0]"),
    }
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, *cases],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=True,
    )
    found = zip(cases.items(), json.loads(result.stdout), strict=True)
    for (address, (reached, listening)), got in found:
        assert got == [
            f"http://{reached}:8501",
            [f"{reached}:8500", "unix:/s"],
            [f"{listening}:8500", "unix:/s"],
        ], address
