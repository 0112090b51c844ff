"""The services PAWS Live can start for itself: a database, a broker, and the processes of the system.

Nothing here reads the settings: every class takes plain paths, strings and mappings.
"""

from __future__ import annotations
