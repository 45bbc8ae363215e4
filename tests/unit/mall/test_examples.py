"""The examples say how they are called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[3] / "contrib/examples/follow_order.py"


def test_an_example_without_arguments_says_which_there_are() -> None:
    ended = subprocess.run([sys.executable, str(EXAMPLE)], capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (2, "usage: follow_order.py BOOTSTRAP SUPPLIER SKU PRICE [AREA]\n")
