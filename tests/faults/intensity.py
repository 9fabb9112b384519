"""How hard the long tests try: `make faults` takes its time, CI a few minutes for all of them."""

from __future__ import annotations

import os
import sys

LONG = os.environ.get("STYLIZE_FAULTS") == "long"


def say(text: str) -> None:
    """Print what was measured, past pytest's capture where `-s` is given."""
    sys.stdout.write(f"\n{text}\n")
