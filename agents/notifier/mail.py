"""Mail: RFC 5322 messages, put into the outbox folder or handed to a mail server."""

from __future__ import annotations

import hashlib
import os
import smtplib
import ssl
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from agents.notifier.messages import Message, one_line
from paws.errors import ConfigurationError, RetriableError
from paws.settings import Settings

_DEADLINE = 20.0
# A subject is not folded: some readers show the fold. RFC 5322 allows 998 characters.
_POLICY = SMTP.clone(max_line_length=240)


class MailServerError(RetriableError):
    """The mail server does not take a message now."""

    code = "mail_server"


def compose(message: Message, settings: Settings, created_at: datetime) -> EmailMessage:
    """Mail of a message. The same message always makes the same mail, its Message-ID included.

    Raises
    ------
    ConfigurationError
        If an address in the settings is none.
    """
    mail = EmailMessage(policy=_POLICY)
    try:
        mail["From"] = settings.mail_from
        mail["To"] = message.recipient or settings.mail_to
    except ValueError as error:
        raise ConfigurationError(
            f"PAWS_MAIL_FROM, PAWS_MAIL_TO or an account's address is no mail address: {error}. Correct it."
        ) from error
    mail["Subject"] = one_line(message.subject)
    mail["Date"] = format_datetime(created_at)
    mail["Message-ID"] = f"<{_digest(message)}@paws-live.invalid>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-PAWS-Kind"] = message.kind.value
    if message.night:
        mail["X-PAWS-Night"] = one_line(message.night)
    mail.set_content(message.body)
    return mail


def outbox_name(message: Message, created_at: datetime) -> str:
    """File name of a message in the outbox folder: derived, so that a second try writes the same file."""
    return f"{created_at:%Y%m%dT%H%M%S}-{message.kind.value}-{_digest(message)[:12]}.eml"


def put_into_outbox(mail: EmailMessage, folder: Path, name: str, *, private: bool = False) -> str:
    """Write a mail into the outbox folder, whole or not at all.

    Parameters
    ----------
    private
        Readable for nobody else on this machine.

    Returns
    -------
    str
        Path of the file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{name}.{os.getpid()}"
    temporary.touch(mode=0o600 if private else 0o666)
    temporary.write_bytes(mail.as_bytes())
    path = folder / name
    temporary.replace(path)
    return str(path)


def send(mail: EmailMessage, url: str) -> str:
    """Hand a mail to a mail server. Blocks; call it in a thread.

    Parameters
    ----------
    url
        ``smtp://[user:password@]host[:port]`` or ``smtps://...``. A password travels encrypted or not at all.

    Returns
    -------
    str
        Name of the server.

    Raises
    ------
    MailServerError
        If the server does not take the mail.
    ConfigurationError
        If the URL is none.
    """
    parts = urlsplit(url)
    wrong = ConfigurationError("PAWS_SMTP_URL is no address of a mail server; write smtp://host:port.")
    try:
        port = parts.port
    except ValueError as error:
        raise wrong from error
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise wrong
    try:
        with _client(parts.scheme, parts.hostname, port) as server:
            server.ehlo()
            if parts.username:
                if parts.scheme == "smtp":
                    server.starttls(context=ssl.create_default_context())
                    server.ehlo()
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(mail)
    except (OSError, smtplib.SMTPException) as error:
        raise MailServerError(
            f"The mail server {parts.hostname} does not take a message: {error}. Check PAWS_SMTP_URL; it is tried again."
        ) from error
    return f"{parts.scheme}://{parts.hostname}"


def _client(scheme: str, host: str, port: int | None) -> smtplib.SMTP:
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port or 465, timeout=_DEADLINE, context=ssl.create_default_context())
    return smtplib.SMTP(host, port or 25, timeout=_DEADLINE)


def _digest(message: Message) -> str:
    return hashlib.sha256(message.notification_id.encode("utf-8", "backslashreplace")).hexdigest()[:32]
