"""``python -m paws`` is the ``paws`` command."""

from __future__ import annotations

from paws.cli import main

main()
