"""What goes wrong in publishing."""

from __future__ import annotations

from paws.errors import InvalidInputError, RetriableError


class PublishError(InvalidInputError):
    """A table cannot be published so. The message says why, and what to do."""

    code = "publish"


class MetadataError(PublishError):
    """A metadata file cannot be used, or does not fit the table."""

    code = "table_metadata"


class TableBusyError(RetriableError):
    """Somebody publishes a table of the same name at this moment."""

    code = "table_busy"


class QuotaError(PublishError):
    """A personal table is larger than what is left of its owner's quota."""

    code = "quota"
