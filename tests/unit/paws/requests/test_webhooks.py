"""Where webhooks may go, how they are signed, when they are tried again."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paws.requests.webhooks import (
    LONGEST_PAUSE,
    MOST_TRIES,
    WebhookRefusedError,
    after,
    choose,
    read_networks,
    read_target,
    refusal,
    signature,
)


@pytest.mark.parametrize(
    "text",
    [
        *("127.0.0.1", "127.255.0.3", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1", "0.0.0.0"),
        *(
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "224.0.0.1",
        ),
        *(
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
        ),
        *(
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
        ),
    ],
)
def test_addresses_that_only_we_reach_are_refused(text):
    assert refusal(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["8.8.8.8", "150.203.0.1", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_told(text):
    assert refusal(ipaddress.ip_address(text)) is None


@given(st.ip_addresses(v=4))
def test_no_address_is_told_in_another_spelling_only(address):
    mapped = ipaddress.IPv6Address(f"::ffff:{address}")
    assert (refusal(address) is None) == (refusal(mapped) is None)


def test_one_private_address_of_a_name_is_enough_to_refuse_it():
    assert choose("example.org", ["8.8.8.8", "8.8.4.4"]) == "8.8.8.8"
    with pytest.raises(WebhookRefusedError) as error:
        choose("example.org", ["8.8.8.8", "10.0.0.1"])
    assert "10.0.0.1" not in error.value.message, "it would map our network"
    with pytest.raises(WebhookRefusedError, match="no address"):
        choose("example.org", [])
    with pytest.raises(WebhookRefusedError):
        choose("example.org", ["fe80::1%eth0"])


def test_settings_may_allow_a_network():
    allowed = read_networks(["10.2.0.0/16"])
    assert choose("hooks.internal", ["10.2.3.4"], allowed) == "10.2.3.4"
    with pytest.raises(WebhookRefusedError):
        choose("hooks.internal", ["10.3.3.4"], allowed)


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "header"),
    [
        ("https://example.org", "example.org", 443, "/", "example.org"),
        ("http://example.org:8080/a?b=c#d", "example.org", 8080, "/a?b=c", "example.org:8080"),
        ("https://[2606:4700::1]/x", "2606:4700::1", 443, "/x", "[2606:4700::1]"),
        ("https://EXAMPLE.org./", "example.org", 443, "/", "example.org"),
    ],
)
def test_target_of_an_address(url, host, port, path, header):
    target = read_target(url)
    assert (target.host, target.port, target.path, target.host_header) == (host, port, path, header)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "example.org",
            "ftp://example.org",
            "file:///etc/passwd",
            "https://",
            "https://user@example.org",
        ),
        *(
            "https://a:b@example.org",
            "https://example.org:99999",
            "https://example.org:0",
            "https://exa mple.org",
        ),
        *(
            "https://example.org/\r\nX: y",
            "https://ex\u00e4mple.org",
            "https://example.org\\@10.0.0.1",
            "https://" + "x" * 500,
        ),
    ],
)
def test_what_is_no_plain_address_is_refused(url):
    with pytest.raises(WebhookRefusedError):
        read_target(url)


def test_signature_is_what_a_receiver_computes():
    found = signature("secret", 1_700_000_000, b'{"a": 1}')
    expected = hmac.new(b"secret", b'1700000000.{"a": 1}', hashlib.sha256).hexdigest()
    assert found == f"t=1700000000,v1={expected}"


@pytest.mark.parametrize(
    ("status", "tries", "wait", "reason"),
    [
        (200, 1, None, "delivered"),
        (204, 9, None, "delivered"),
        (410, 1, None, "the receiver wants no more"),
        (None, 1, timedelta(seconds=10), "no answer"),
        (500, 2, timedelta(seconds=20), "the answer was 500"),
        (302, 3, timedelta(seconds=40), "the answer was 302"),
        (503, MOST_TRIES, None, f"given up after {MOST_TRIES} tries: the answer was 503"),
    ],
)
def test_tries_come_slower_and_end(status, tries, wait, reason):
    assert (after(status, tries).wait, after(status, tries).reason) == (wait, reason)


def test_pause_is_bounded():
    assert max(after(None, tries).wait or timedelta() for tries in range(1, 13)) <= LONGEST_PAUSE
