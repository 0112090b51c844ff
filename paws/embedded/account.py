"""The unprivileged account that services run under when PAWS Live itself runs as root."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from paws.embedded.errors import DataFolderUnusableError

#: The script that changes the account and becomes another program.
LAUNCHER = Path(__file__).with_name("launch.py")
#: Accounts that exist on ordinary systems, the most fitting first. None is ever created.
CANDIDATES = ("postgres", "nobody")
#: A look at a few paths takes milliseconds; a hanging network mount must not hang the start [s].
REACH_DEADLINE = 20.0


@dataclass(frozen=True, slots=True)
class Account:
    """A numeric user and group.

    Attributes
    ----------
    uid, gid : int
        Numeric ids.
    """

    uid: int
    gid: int


def unprivileged_account(owner: int | None = None) -> Account | None:
    """Account for a service that refuses to run as root.

    Parameters
    ----------
    owner : int, optional
        Uid that already owns the service's files; it is kept as long as it is not root.

    Returns
    -------
    Account or None
        None when this process is not root: then the service runs under the present account.

    Raises
    ------
    DataFolderUnusableError
        The system has none of the accounts that would do.
    """
    if os.geteuid() != 0:
        return None
    if owner:
        try:
            entry = pwd.getpwuid(owner)
        except KeyError:
            raise DataFolderUnusableError(
                f"The database files belong to user id {owner}, which this system does not know. "
                "Give them to an existing account, or start with an empty data folder."
            ) from None
        return Account(entry.pw_uid, entry.pw_gid)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_uid, entry.pw_gid)
    raise DataFolderUnusableError(
        "PostgreSQL does not run as root, and this system has neither of the accounts "
        f"{' and '.join(CANDIDATES)}. Run paws as an ordinary user."
    )


def launch_command(
    argv: Iterable[str], *, account: Account | None = None, death_signal: int = 0
) -> list[str]:
    """Command line that starts a program under an account, tied to the life of this process.

    Parameters
    ----------
    argv : iterable of str
        The program and its arguments.
    account : Account, optional
        None keeps the present one.
    death_signal : int
        What the program gets when this process (exactly: the thread that starts it) ends; 0 for nothing.
    """
    uid, gid = ("-", "-") if account is None else (str(account.uid), str(account.gid))
    head = [sys.executable, "-I", "-S", str(LAUNCHER), "run", str(os.getpid()), str(int(death_signal))]
    return [*head, uid, gid, "--", *argv]


def first_out_of_reach(account: Account | None, paths: Iterable[Path]) -> Path | None:
    """First of the paths that the account may not enter or execute, or None.

    The kernel is asked, under that account, so that access lists and mount options count too.
    """
    if account is None:
        return None
    command = [sys.executable, "-I", "-S", str(LAUNCHER), "reach", str(account.uid), str(account.gid), "--"]
    answer = subprocess.run(
        [*command, *map(str, paths)], capture_output=True, text=True, timeout=REACH_DEADLINE, check=False
    )
    return None if answer.returncode == 0 else Path(answer.stdout or "/")
