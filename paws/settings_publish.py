"""Settings of publishing tables: how large they may be, and how many at once."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings


class PublishSettings(BaseSettings):
    """Limits of published tables. Times are in seconds, sizes in MB (10^6 bytes)."""

    tap_publish_at_once: int = Field(
        default=1,
        ge=1,
        le=16,
        description="Uploaded tables that are published at once, over all web processes",
    )
    tap_publish_size: int = Field(
        default=4000, ge=1, description="MB of a file that is uploaded, or fetched, to be published"
    )
    tap_publish_rows: int = Field(default=100_000_000, ge=1, description="Rows of a published table")
    tap_publish_deadline: float = Field(
        default=3600.0, gt=0, description="Longest time that publishing one table may take"
    )
    tap_personal_size: int = Field(
        default=1000,
        ge=0,
        description="MB in the database of all personal tables of one person; 0: nobody has any",
    )
    tap_personal_rows: int = Field(
        default=20_000_000, ge=0, description="Rows of all personal tables of one person"
    )
    tap_personal_tables: int = Field(default=50, ge=0, description="Personal tables of one person")
