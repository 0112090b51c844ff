from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from paws.embedded.priority import give_way


def test_a_session_gives_way():
    process = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        give_way(process.pid, 7)
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == 7
        autogroup = Path(f"/proc/{process.pid}/autogroup")
        assert not autogroup.exists() or autogroup.read_text().strip().endswith("nice 7")
    finally:
        process.communicate(b"\n")


def test_a_process_that_is_gone_is_no_error():
    process = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    process.wait()
    give_way(process.pid, 7)
