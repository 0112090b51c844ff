"""What a night must not leave: half files, orphaned folders and processes, jobs that nobody does."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from paws.chaos.processes import naming
from paws.chaos.running import SystemUnderTest

SCRATCH = "paws-imp-*"
"""Scratch folders of the local engine."""


ROOMS = "containers"
"""Folder below the work folder with what warm containers write into."""

RECORD = "record.json"
ATTEMPT = re.compile(r"[0-9a-f]{16}-[0-9]+")


async def open_leases(system: SystemUnderTest) -> list[str]:
    """Jobs that are held or wait, though all is done; of a running system that has settled.

    Raises
    ------
    AwayError
        If its database does not answer.
    """
    jobs = await system.rows("SELECT id, status::text, task_name, args::text FROM procrastinate_jobs")
    running = await system.rows(
        "SELECT slot, state FROM reduction WHERE state IN ('running', 'queued', 'retrying') ORDER BY slot"
    )
    found = [f"job {row['id']} is {row['status']}: {row['task_name']} {row['args'][:100]}" for row in jobs]
    return found + [f"reduction of {row['slot']} is {row['state']}" for row in running]


async def stray_files(system: SystemUnderTest) -> list[str]:
    """Files in the data folder that nothing knows: temporary ones, and versions that are not registered.

    Raises
    ------
    AwayError
        If its database does not answer.
    """
    rows = await system.rows("SELECT stored_path, path, current, provenance::text AS document FROM product")
    stored = {row["stored_path"] for row in rows}
    folders = {str(PurePosixPath(row["stored_path"]).parent) for row in rows}
    shown = {row["path"] for row in rows if row["current"]}
    documents = "".join(row["document"] for row in rows)
    found: list[str] = []
    products, versions = system.settings.products_dir, system.settings.versions_dir
    for path in sorted(products.rglob("*")):
        if path.is_dir():
            continue
        if path.is_relative_to(versions):
            name = str(path.relative_to(system.data))
            # The record of a reduction lies beside its products.
            beside = path.name == RECORD and str(path.parent.relative_to(system.data)) in folders
            if name not in stored and name not in documents and not beside:
                found.append(f"unregistered: {name}")
        elif path.name.startswith(".") or str(path.relative_to(products)) not in shown:
            found.append(f"in the tree: {path.relative_to(products)}")
    if system.settings.work_dir.is_dir():
        found += [
            f"in the work folder: {path.relative_to(system.settings.work_dir)}"
            for path in _files(system.settings.work_dir)
        ]
    return found


def orphans(system: SystemUnderTest, scratch: Path) -> list[str]:
    """Processes and scratch folders that are still there after a system was stopped."""
    rooms = system.settings.work_dir / ROOMS
    return [
        *naming(str(system.data)),
        *(f"room of a container: {path.name}" for path in (rooms.iterdir() if rooms.is_dir() else ())),
        *(f"scratch folder: {path}" for path in sorted(scratch.glob(SCRATCH))),
    ]


def _files(folder: Path) -> list[Path]:
    """Files below a folder, and empty folders of attempts; not those of warm containers, which stay."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if ROOMS not in path.relative_to(folder).parts and (not path.is_dir() or ATTEMPT.fullmatch(path.name))
    ]
