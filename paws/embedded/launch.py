"""Become another program, tied to the life of the process that started it.

Run as a script (``python -I -S launch.py ...``), not imported: between fork and exec of a process with
threads only a fresh interpreter may run Python code safely, so this replaces ``preexec_fn``. It imports the
standard library only.

``run PARENT_PID DEATH_SIGNAL UID GID -- PROGRAM ARGUMENT...``
    Drop to the account (``-`` keeps the present one), ask the kernel for DEATH_SIGNAL when the parent dies,
    and execute the program.
``reach UID GID -- PATH...``
    Exit 0 if the account may read and enter every path; otherwise print the first one refused and exit 3.
"""

from __future__ import annotations

# All that is needed is imported before the change of account, which may close the way to the library.
import ctypes
import os
import sys

#: From linux/prctl.h.
PR_SET_PDEATHSIG = 1
#: What a shell answers for a program that cannot be executed.
CANNOT_EXECUTE = 126
#: The parent was gone before the tie to it was made.
PARENT_GONE = 125
#: Answer of ``reach`` for a path that the account may not use.
REFUSED = 3


def drop_to(uid: str, gid: str) -> None:
    """Give up root for good, supplementary groups included."""
    if uid == "-":
        return
    os.setgroups([])
    os.setresgid(int(gid), int(gid), int(gid))
    os.setresuid(int(uid), int(uid), int(uid))


def tie_to_parent(parent: int, death_signal: int) -> None:
    """Have the kernel send ``death_signal`` to this process when ``parent`` dies.

    Must follow the change of account, which clears the tie.
    """
    if death_signal == 0:
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(PARENT_GONE)


def main(arguments: list[str]) -> None:
    """Carry out one of the two verbs of the module's docstring."""
    split = arguments.index("--")
    head, rest = arguments[:split], arguments[split + 1 :]
    if head[0] == "reach":
        drop_to(head[1], head[2])
        for path in rest:
            mode = os.R_OK | os.X_OK if os.path.isfile(path) else os.X_OK  # noqa: PTH113  (fast start: no pathlib)
            if not os.access(path, mode):
                sys.stdout.write(path)
                sys.exit(REFUSED)
        return
    drop_to(head[3], head[4])
    tie_to_parent(int(head[1]), int(head[2]))
    try:
        os.execvp(rest[0], rest)  # noqa: S606  (to become the program is this module's purpose)
    except OSError as error:
        sys.stderr.write(f"cannot execute {rest[0]}: {error.strerror}\n")
        sys.exit(CANNOT_EXECUTE)


if __name__ == "__main__":
    main(sys.argv[1:])
