"""Settings of the query service of the Virtual Observatory (TAP): how much anybody may ask for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode

from paws.settings_text import split_networks

DAY = 86_400.0


class TapSettings(BaseSettings):
    """Limits of the query service. Times are in seconds, sizes in MB (10^6 bytes)."""

    tap_geometry: Literal["auto", "pgsphere", "cube"] = Field(
        default="auto",
        description="How positions are searched: by pgSphere, or by what PostgreSQL comes with ('cube'). 'auto' takes pgSphere where the database has it or `paws migrate` can bring it",
    )
    tap_sync_timeout: float = Field(
        default=60.0, gt=0, description="Longest time that a synchronous query may take in the database"
    )
    tap_answer_timeout: float = Field(
        default=900.0, gt=0, description="Longest time until the answer of a synchronous query is sent"
    )
    tap_async_timeout: float = Field(
        default=3600.0, gt=0, description="Longest time that a job may run, where it does not ask for another"
    )
    tap_async_timeout_max: float = Field(
        default=14_400.0, gt=0, description="Longest time that a job may ask for"
    )
    tap_maxrec: int = Field(default=250_000, ge=1, description="Rows of an answer where MAXREC is not given")
    tap_maxrec_max: int = Field(default=10_000_000, ge=1, description="Largest MAXREC")
    tap_query_length: int = Field(
        default=200_000, ge=1000, le=5_000_000, description="Characters of the longest query"
    )
    tap_upload_rows: int = Field(default=1_000_000, ge=1, description="Rows of an uploaded table")
    tap_upload_size: int = Field(default=200, ge=1, description="MB of all uploads of one query")
    tap_upload_tables: int = Field(default=8, ge=0, description="Tables that one query may upload")
    tap_upload_deadline: float = Field(
        default=120.0, gt=0, description="Longest time in which uploads by address have to come"
    )
    tap_upload_networks: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_networks)] = Field(
        default=(),
        description="Private networks from which uploads by address may come, such as 10.2.0.0/16, separated by ','",
    )
    tap_sync_at_once: int = Field(
        default=8, ge=1, le=200, description="Synchronous queries at work in a process at once"
    )
    tap_sync_per_user: int = Field(
        default=6, ge=1, description="Of them, those of one account, or of one address without an account"
    )
    tap_sync_waiting: int = Field(
        default=60, ge=0, description="Synchronous queries of one account or address that may wait their turn"
    )
    tap_async_at_once: int = Field(
        default=2, ge=1, le=100, description="Jobs at work at once, in each process and over all of them"
    )
    tap_async_per_user: int = Field(
        default=2, ge=1, description="Of them, those of one account, or of one address without an account"
    )
    tap_jobs_per_user: int = Field(
        default=500, ge=1, description="Jobs that one account or address may have that are not destroyed yet"
    )
    tap_destruction: float = Field(
        default=3 * DAY, gt=0, description="How long jobs are kept, where they do not ask for another time"
    )
    tap_destruction_max: float = Field(default=30 * DAY, gt=0, description="How long jobs may be kept")
    tap_result_size: int = Field(default=4000, ge=1, description="MB of the result of one job")
    tap_user_size: int = Field(default=20_000, ge=1, description="MB of all results that one user keeps")
    tap_temporary_size: int = Field(
        default=4000, ge=1, description="MB of temporary files that the database may write for one query"
    )
    tap_lease: float = Field(
        default=30.0,
        ge=3,
        description="Silence after which the jobs of a web process are taken over by others",
    )
