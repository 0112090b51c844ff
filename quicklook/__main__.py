"""``python -m quicklook`` is ``paws-aaorun``."""

from __future__ import annotations

import sys

from quicklook.cli import main

sys.exit(main())
