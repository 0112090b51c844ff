"""Settings of the Virtual Observatory: who publishes, and under which name."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings


class VoSettings(BaseSettings):
    """What identifiers and the records of the registry say of this installation."""

    vo_authority: Annotated[str, AfterValidator(str.lower)] = Field(
        default="paws.local",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._~-]{2,63}$",
        description="Naming authority of identifiers (ivo://AUTHORITY/...), as registered for the observatory;"
        " the default is for this machine alone",
    )
    vo_title: str = Field(
        default="PAWS Live",
        min_length=1,
        max_length=80,
        description="What the services are called in the registry; their kind is put behind",
    )
    vo_collection: str = Field(
        default="2dF-AAOmega live",
        min_length=1,
        max_length=80,
        description="Collection that all spectra belong to (obs_collection)",
    )
    vo_publisher: str = Field(
        default="an installation of PAWS Live",
        min_length=1,
        max_length=200,
        description="Who publishes the data, such as the name of the observatory",
    )
    vo_creator: str = Field(
        default="2dF observers", min_length=1, max_length=200, description="Who made the data"
    )
    vo_contact_name: str = Field(
        default="PAWS Live operators", min_length=1, max_length=200, description="Whom users write to"
    )
    vo_contact_email: str = Field(
        default="",
        pattern=r"^([^\s@<>\"']{1,64}@[^\s@<>\"']{1,255})?$",
        description="Their address; empty: that of PAWS_MAIL_FROM",
    )
