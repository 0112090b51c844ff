"""What runs around a command inside a container, and what it tells afterwards. Pure.

Docker can start a second process in a container but cannot end it, cannot clean up after it, and does not
tell whether the kernel ended one of its children for want of memory. So a few lines of shell do. They use
nothing but what any Debian image has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agents.reducer.engines.docker.recipe import INPUTS, SCRATCH, WORK

_COUNT = r"""
oom=0 held=0
look() {
  oom=0 held=0
  for file in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
    [ -r "$file" ] && while read -r key value; do
      [ "$key" = oom_kill ] && oom=$value
    done < "$file"
  done
  # Version 2 of control groups says anon, version 1 rss; files in memory are shmem in both.
  for file in /sys/fs/cgroup/memory.stat /sys/fs/cgroup/memory/memory.stat; do
    [ -r "$file" ] && while read -r key value; do
      case $key in anon|rss|shmem) held=$((held + value)) ;; esac
    done < "$file"
  done
}
"""

_SWEEP = r"""
sweep() {
  left=0
  for pass in 1 2 3 4 5 6 7 8 9 10; do
    left=0
    for folder in /proc/[0-9]*; do
      case $residents in *" ${folder#/proc/} "*) continue ;; esac
      read -r line 2>/dev/null < "$folder/stat" || continue
      case ${line##*) } in Z*) continue ;; esac
      left=$((left + 1))
      kill -9 "${folder#/proc/}" 2>/dev/null
    done
    [ "$left" = 0 ] && break
  done
  ipcrm --all 2>/dev/null
  # The display's own files stay.
  find /tmp /scratch /dev/shm -mindepth 1 ! -path '/tmp/.X*' -delete 2>/dev/null
}
"""

COMMAND_SCRIPT = (
    _COUNT
    + _SWEEP
    + r"""
umask 022
look
before=$oom
residents=' '
for folder in /proc/[0-9]*; do residents="$residents${folder#/proc/} "; done
mkdir -p "$IMP_SCRATCH" || exit 125
"$@" 2>&1
status=$?
cd /
sweep
look
echo "paws: status=$status oom=$((oom - before)) held=$held left=$left" >&2
exit $status
"""
)
"""Runs its arguments. Only its report goes to the standard error: one line, see `parse_report`."""

PROBE_SCRIPT = (
    _COUNT
    + rf"""
[ -n "$DISPLAY" ] && for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  [ -S "/tmp/.X11-unix/X${{DISPLAY#:}}" ] && break
  sleep 0.1
done
read -r token < {INPUTS}/.token || exit 11
[ "$token" = "$1" ] || exit 12
(: > {INPUTS}/.probe) 2>/dev/null && exit 13
echo "$1" > {WORK}/.probe || exit 14
echo x > {SCRATCH}/.probe && rm {SCRATCH}/.probe || exit 15
look
echo "paws: status=0 oom=$oom held=$held left=0" >&2
"""
)
"""Looks whether the folders of a new container are those that were meant, and may be used as they should."""

PROBE_FAULTS = {
    11: "the folder with the inputs cannot be read there",
    12: "the folder with the inputs is another one there",
    13: "the folder with the inputs can be written there",
    14: "the work folder cannot be written there",
    15: "the scratch folder cannot be written there",
}
"""What exit statuses of the probe mean."""

_REPORT = re.compile(r"^paws: status=(\d+) oom=(-?\d+) held=(\d+) left=(\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Report:
    """What the script tells after a command.

    Attributes
    ----------
    status
        Exit status of the command, by the shell's count: 128 and more for a signal.
    killed_for_memory
        Processes that the kernel ended for want of memory.
    held
        Memory that the container holds between commands, bytes.
    left
        Processes of the command that could not be ended.
    """

    status: int
    killed_for_memory: int
    held: int
    left: int


def parse_report(text: str) -> Report | None:
    """Report in what the script wrote, or None when it did not come so far."""
    found = _REPORT.findall(text)
    return Report(*map(int, found[-1])) if found else None


def wrapped(command: Sequence[str]) -> list[str]:
    """A command of ``aaorun`` with the script around it."""
    return ["/bin/sh", "-c", COMMAND_SCRIPT, "paws", "aaorun", *command]


def probe(token: str) -> list[str]:
    """The command that looks at a new container."""
    return ["/bin/sh", "-c", PROBE_SCRIPT, "paws", token]
