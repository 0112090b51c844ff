"""Tests on several processes: which of them belong together, and in which order they are begun.

Light tests are spread module by module. Tests of whole systems (a broker, a database, a worker and runners each) come
last, in two processes: they wait more than they compute, and nothing else computes while they race against the clock.
"""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from xdist.scheduler import LoadScopeScheduling

#: A night reduced once serves every test of the folder.
TOGETHER = ("tests/unit/quicklook", "tests/browser/explorer")
SYSTEMS = {"tests/e2e": "nights", "tests/containers": "disturbed nights", "tests/chaos": "disturbed nights"}


def scope_of(nodeid: str) -> str:
    """Name of the group whose tests run in the same process."""
    module = nodeid.split("::", 1)[0]
    folders = {str(folder) for folder in PurePosixPath(module).parents}
    system = next((SYSTEMS[folder] for folder in sorted(folders) if folder in SYSTEMS), None)
    return system or next((folder for folder in TOGETHER if folder in folders), module)


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """Tests as they are best begun: the long groups first, whole systems at the end."""

    def rank(item: pytest.Item) -> int:
        scope = scope_of(item.nodeid)
        if scope in SYSTEMS.values():
            return 2 if scope == "nights" else 3
        return 0 if scope in TOGETHER else 1

    return sorted(items, key=rank)


class ByGroup(LoadScopeScheduling):
    """Gives groups to processes in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)
