"""Answers about downloads."""

from __future__ import annotations

from pydantic import Field

from web.api.models import Answer


class DownloadFile(Answer):
    """A file of a download."""

    name: str = Field(description="Below the download's folder")
    kind: str = Field(description="product, pdf, log, raw or text")
    size_bytes: int | None = Field(description="null while it is being prepared")
    sha256: str | None = Field(description="null while it is being prepared")
    blake3: str | None = Field(description="null while it is being prepared")


class MissingFile(Answer):
    """A file that should be there and is not."""

    name: str
    reason: str


class DownloadPlan(Answer):
    """A download: its files, and whether it can be sent at once."""

    folder: str = Field(description="Folder that it unpacks into")
    ready: bool = Field(description="Whether PDFs are drawn and sums known; asking has it prepared")
    prepared: int = Field(description="Files that are ready")
    to_prepare: int = Field(description="Files that have to be prepared, ready or not")
    size_bytes: int | None = Field(description="Of all files; null while some are being prepared")
    files: list[DownloadFile]
    missing: list[MissingFile]
    query: str = Field(
        description="The same download for ever, whatever becomes current: as in /api/downloads?..."
    )
