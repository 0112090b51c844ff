"""The process that prints: one line of JSON in, one out. It ends when nobody speaks to it any more.

It is a process of its own, because drawing holds Python's lock for a second, and pages wait for no PDF.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Final

from paws.errors import PawsError

_NICE: Final = 10


def answer(line: str) -> dict[str, object]:
    """Print what a line asks for."""
    from web.pdf.make import make_pdf

    try:
        asked = json.loads(line)
        printed = make_pdf(Path(asked["source"]), Path(asked["target"]))
    except PawsError as error:
        return {"error": error.message}
    except Exception as error:
        # One product that nobody foresaw must not end the printing of others.
        return {"error": f"The spectra cannot be printed: {type(error).__name__}: {error}"[:500]}
    return {"pages": printed.pages}


def main() -> None:
    """Print until standard input ends."""
    os.nice(_NICE)
    for line in sys.stdin:
        print(json.dumps(answer(line)), flush=True)


if __name__ == "__main__":
    main()
