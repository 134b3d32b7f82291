"""Prints the files of tests that take longest, from reports of pytest.

    python .ci/slowest_files.py REPORT.xml ...

A file's time is that of all its tests in all reports, which are of
`pytest -o junit_family=xunit1 --junitxml=REPORT.xml`. Tests of two processes
run at a time, so the times add up to more than a clock shows.
"""

import collections
import os
import sys
from xml.etree import ElementTree

_NUM_FILES = 10


def seconds_by_file(paths):
    """Returns Counters {file: seconds} and {file: tests} of reports."""
    seconds, num_tests = collections.Counter(), collections.Counter()
    for path in paths:
        if os.path.exists(path):  # A run that found no test may write none.
            for case in ElementTree.parse(path).iter("testcase"):
                seconds[case.get("file")] += float(case.get("time"))
                num_tests[case.get("file")] += 1
    return seconds, num_tests


def main(paths):
    """Prints the table of all reports."""
    seconds, num_tests = seconds_by_file(paths)
    for file, total in seconds.most_common(_NUM_FILES):
        print(f"{total:7.1f} s  {file} ({num_tests[file]} tests)")
    print(f"{seconds.total():7.1f} s  all {len(seconds)} files")


if __name__ == "__main__":
    main(sys.argv[1:])
