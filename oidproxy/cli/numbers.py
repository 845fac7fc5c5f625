"""Numbers as the command line takes them."""

from __future__ import annotations

import argparse
import math


def count(text: str) -> int:
    """A whole number of at least one."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1 is needed")
    return number


def seconds(text: str) -> float:
    """A time of more than nothing."""
    number = float(text)
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError("a number of seconds above 0 is needed")
    return number
