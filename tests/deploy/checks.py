"""Assertions that are counted, so that a run without any is seen."""

import sys


class Checks:
    """The assertions about one thing."""

    def __init__(self, what):
        self.what, self.count = what, 0

    def __call__(self, holds, sentence):
        self.count += 1
        if not holds:
            sys.exit(f"{self.what}: {sentence}")

    def done(self):
        print(f"{self.count} passed, 0 failed")
