"""Many commands in one warm process: what a pool's worker is, for shells and benchmarks.

``python -m quicklook.batch`` reads one JSON object a line, ``{"cwd": FOLDER, "argv": [VERB, ...]}``, and answers
each with one: ``{"status": 0, "cpu": SECONDS, "peak": BYTES, "log": TEXT}``, where ``peak`` is the most memory that
the process has held so far. It ends with its input.
"""

from __future__ import annotations

import io
import json
import resource
import sys
import time
from pathlib import Path
from typing import TextIO

from quicklook import warm
from quicklook.cli import REFUSED, run
from quicklook.threads import keep_to_one_thread

KILOBYTE = 1 if sys.platform == "darwin" else 1024
"""Unit in which the system counts a process's memory [byte]."""


def serve(requests: TextIO, answers: TextIO) -> None:
    """Carry out commands until the input ends; a line that is none is answered with status 2."""
    for line in requests:
        started, log = time.process_time(), io.StringIO()
        try:
            request = json.loads(line)
            folder, argv = Path(request["cwd"]), [str(word) for word in request["argv"]]
        except (ValueError, TypeError, KeyError) as error:
            status = REFUSED
            log.write(f'Error: not a command ({error}); write {{"cwd": FOLDER, "argv": [VERB, ...]}}\n')
        else:
            status = run(argv, cwd=folder, stdout=log)
        answer = {
            "status": status,
            "cpu": time.process_time() - started,
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KILOBYTE,
            "log": log.getvalue(),
        }
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    keep_to_one_thread()
    warm()
    serve(sys.stdin, sys.stdout)
