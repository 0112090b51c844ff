"""Tests on several processes: which of them belong together, and in which order they are begun.

Light tests are spread module by module. Tests of whole systems (a broker, a database, a worker and runners each)
come last, all in one process: nothing else computes while they race against the clock.
"""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from xdist.scheduler import LoadScopeScheduling

#: A night reduced once serves every test of the folder.
TOGETHER = ("tests/unit/quicklook", "tests/browser/explorer")
SYSTEMS = ("tests/e2e", "tests/containers", "tests/chaos")


def scope_of(nodeid: str) -> str:
    """Name of the group whose tests run in the same process."""
    module = nodeid.split("::", 1)[0]
    folders = {str(folder) for folder in PurePosixPath(module).parents}
    if folders & {*SYSTEMS}:
        return "whole systems"
    return next((folder for folder in TOGETHER if folder in folders), module)


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """Tests as they are best begun: the long groups first, whole systems at the end."""

    def rank(item: pytest.Item) -> int:
        scope = scope_of(item.nodeid)
        return 0 if scope in TOGETHER else 2 if scope == "whole systems" else 1

    return sorted(items, key=rank)


class ByGroup(LoadScopeScheduling):
    """Gives groups to processes in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)
