"""What can go wrong when a service is started, each with what to do next."""

from __future__ import annotations

from paws.errors import PermanentError


class ServiceError(PermanentError):
    """A local service could not be started, reached or stopped."""

    code = "service"


class BinaryNotFoundError(ServiceError):
    """No usable program was found for a service."""

    code = "service.binary_not_found"


class DataFolderBusyError(ServiceError):
    """Another live supervisor uses the data folder."""

    code = "service.data_folder_busy"


class DataFolderUnusableError(ServiceError):
    """The data folder cannot hold a service's files (rights, owner, version)."""

    code = "service.data_folder_unusable"


class ServiceFailedError(ServiceError):
    """A service ended by itself, or was not ready before its deadline.

    Parameters
    ----------
    name : str
        The service.
    reason : str
        What happened, as a sentence without the name.
    tail : str, optional
        The last lines that it wrote.
    log_file : str, optional
        Where all its lines are.
    """

    code = "service.failed"

    def __init__(self, name: str, reason: str, tail: str = "", log_file: str = "") -> None:
        message = f"{name} {reason}"
        if tail:
            message += f"\n--- its last lines ---\n{tail}"
        if log_file:
            message += f"\n--- its whole log: {log_file}"
        super().__init__(message, service=name, log_file=log_file)
        self.name = name
        self.reason = reason
        self.tail = tail
