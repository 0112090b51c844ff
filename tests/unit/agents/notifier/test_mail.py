from __future__ import annotations

import email
import email.policy
import socket
import socketserver
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.notifier.mail import MailServerError, compose, outbox_name, put_into_outbox, send
from agents.notifier.messages import Message
from agents.notifier.service import Kind
from paws.errors import ConfigurationError
from paws.settings import Settings

AT = datetime(2026, 3, 12, 14, 0, tzinfo=UTC)
SETTINGS = Settings(mail_to="observers@example.org, pi@example.org", mail_from="PAWS Live <paws@example.org>")


def message(subject: str = "Field done: Ångström, 3/3", body: str = "S/N 5 Å⁻¹\n") -> Message:
    return Message("field:20260312:1:FLD:abc", "20260312", Kind.FIELD, subject, body)


def test_a_mail_survives_its_way_through_a_file(tmp_path: Path) -> None:
    path = Path(put_into_outbox(compose(message(), SETTINGS, AT), tmp_path / "outbox", "m.eml"))
    assert [item.name for item in path.parent.iterdir()] == ["m.eml"]
    read = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert read["Subject"] == "Field done: Ångström, 3/3"
    assert read["To"] == SETTINGS.mail_to
    assert read.get_content().replace("\r\n", "\n") == "S/N 5 Å⁻¹\n"
    assert read["Date"].datetime == AT
    assert not read.defects


def test_the_same_message_makes_the_same_mail_under_the_same_name() -> None:
    first, again = (compose(message(), SETTINGS, AT).as_bytes() for _ in range(2))
    assert first == again
    assert outbox_name(message(), AT) == outbox_name(message("other words"), AT)
    assert outbox_name(message(), AT).startswith("20260312T140000-field-")


@given(st.text(), st.text(st.characters(exclude_categories=["Cs"])))
def test_no_text_adds_a_header(subject: str, body: str) -> None:
    evil = message(f"x\r\nBcc: thief@example.org\r\n{subject}", body)
    written = compose(evil, SETTINGS, AT).as_bytes()
    read = email.message_from_bytes(written, policy=email.policy.default)
    assert "Bcc" not in read
    assert read["To"] == SETTINGS.mail_to


def test_an_address_that_is_none_is_a_wrong_setting() -> None:
    evil = Settings(mail_to="a@example.org\nBcc: thief@example.org")
    with pytest.raises(ConfigurationError, match="PAWS_MAIL_TO"):
        compose(message(), evil, AT)


class _Server(socketserver.ThreadingTCPServer):
    """As much of a mail server as one delivery needs."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, refuse: bool) -> None:
        self.received: list[bytes] = []
        self.refuse = refuse
        super().__init__(("127.0.0.1", 0), _Session)


class _Session(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self.wfile.write(b"220 ready\r\n")
        for line in self.rfile:
            word = line.split()[0].upper() if line.split() else b""
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                content = b""
                while not content.endswith(b"\r\n.\r\n"):
                    content += self.rfile.readline()
                self.server.received.append(content)
                self.wfile.write(b"250 taken\r\n")
            elif word == b"RCPT" and self.server.refuse:
                self.wfile.write(b"550 no such user\r\n")
            elif word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 fine\r\n")


@pytest.fixture
def mail_server(request: pytest.FixtureRequest) -> Iterator[_Server]:
    with _Server(getattr(request, "param", False)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_mail_server_takes_the_mail(mail_server: _Server) -> None:
    host, port = mail_server.server_address[:2]
    assert send(compose(message(), SETTINGS, AT), f"smtp://{host}:{port}") == "smtp://127.0.0.1"
    (content,) = mail_server.received
    assert b"Message-ID: <" in content


@pytest.mark.parametrize("mail_server", [True], indirect=True)
def test_a_refusal_may_be_tried_again(mail_server: _Server) -> None:
    host, port = mail_server.server_address[:2]
    with pytest.raises(MailServerError, match="no such user"):
        send(compose(message(), SETTINGS, AT), f"smtp://{host}:{port}")


def test_a_password_does_not_travel_in_the_clear(mail_server: _Server) -> None:
    host, port = mail_server.server_address[:2]
    with pytest.raises(MailServerError, match="STARTTLS"):
        send(compose(message(), SETTINGS, AT), f"smtp://user:secret@{host}:{port}")
    assert mail_server.received == []


def test_an_absent_server_may_be_tried_again() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        with pytest.raises(MailServerError, match="server 127"):
            send(compose(message(), SETTINGS, AT), f"smtp://127.0.0.1:{port}")


@pytest.mark.parametrize("url", ["http://host", "smtp://", "host:25", "smtp://host:port"])
def test_a_wrong_url_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigurationError, match="PAWS_SMTP_URL"):
        send(compose(message(), SETTINGS, AT), url)
