"""OpenID Connect against an issuer of our own, honest and otherwise."""

from __future__ import annotations

import base64
import hashlib
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from tests.support.people import URL, House, send
from web.accounts.oidc import Issuer

ISSUER = "https://login.example.org"


@dataclass
class Provider:
    """An issuer as small as can be. Tests bend it."""

    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k1"}, private=True))
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, str] = field(default_factory=lambda: {"alg": "RS256", "kid": "k1"})
    signing: Any = None
    asked: dict[str, str] = field(default_factory=dict)
    says: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/.well-known/openid-configuration":
            return httpx.Response(
                200,
                json={
                    "issuer": ISSUER,
                    "authorization_endpoint": f"{ISSUER}/authorize",
                    "token_endpoint": f"{ISSUER}/token",
                    "jwks_uri": f"{ISSUER}/keys",
                    **self.says,
                },
            )
        if path == "/keys":
            return httpx.Response(200, json={"keys": [self.key.as_dict(private=False)]})
        if path == "/token":
            form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
            challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
            good = self.codes.pop(form["code"], "") == challenge.rstrip(b"=").decode()
            name, _, secret = base64.b64decode(request.headers["authorization"][6:]).decode().partition(":")
            if (
                not good
                or (name, secret) != ("paws", "s%2Fecret")
                or form["redirect_uri"] != f"{URL}/sign-in/return"
            ):
                return httpx.Response(400, json={"error": "invalid_grant"})
            return httpx.Response(200, json={"access_token": "x", "id_token": self.id_token()})
        return httpx.Response(404)

    def id_token(self) -> str:
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": "person-1",
            "aud": "paws",
            "iat": now,
            "exp": now + 300,
            "nonce": self.asked["nonce"],
            "preferred_username": "Ann.Ó@uni",
            "name": "Ann <b>O</b>",
            "email": "root@example.org",
            "email_verified": True,
            **self.claims,
        }
        return jwt.encode(
            self.header,
            {name: value for name, value in claims.items() if value is not None},
            self.signing or self.key,
            algorithms=["RS256", "HS256", "none"],
        )

    def authorise(self, location: str) -> str:
        """What the person's browser does there: says yes and comes back."""
        parts = urlsplit(location)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{ISSUER}/authorize"
        self.asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert self.asked["code_challenge_method"] == "S256"
        self.codes["code-1"] = self.asked["code_challenge"]
        return f"/sign-in/return?code=code-1&state={self.asked['state']}"


@pytest.fixture
async def provider(house: House) -> Provider:
    found = Provider()
    settings = house.settings.model_copy(
        update={"oidc_issuer": ISSUER, "oidc_client_id": "paws", "oidc_create": True}
    )
    object.__setattr__(settings, "oidc_client_secret", type(settings.smtp_url)("s/ecret"))
    house.app.state.web.settings = settings
    house.app.state.web.issuer = Issuer(settings, httpx.MockTransport(found))
    return found


async def begin(client: httpx.AsyncClient, provider: Provider, target: str = "/nights") -> str:
    found = await client.get("/sign-in/elsewhere", params={"next": target})
    assert found.status_code == 303, found.text
    return provider.authorise(found.headers["location"])


async def test_new_person_gets_an_account_without_rights(house: House, provider: Provider) -> None:
    client = house.browser()
    assert "your institution" in (await client.get("/sign-in")).text
    found = await client.get(await begin(client, provider))
    assert (found.status_code, found.headers["location"]) == (303, "/nights")
    page = await client.get("/account")
    assert "Ann &lt;b&gt;O&lt;/b&gt;" in page.text
    row = await house.pool.fetchrow(
        "SELECT name, administrator, password_hash FROM account WHERE oidc_subject = 'person-1'"
    )
    assert (row["name"], row["administrator"], row["password_hash"]) == ("ann", False, None)
    assert (
        await house.pool.fetchval("SELECT count(*) FROM account WHERE email = 'root@example.org'")
    ) == 2, "no takeover"
    again = house.browser()
    await again.get(await begin(again, provider))
    assert (await house.pool.fetchval("SELECT count(*) FROM account WHERE oidc_subject IS NOT NULL")) == 1


async def test_account_is_bound_while_signed_in(house: House, provider: Provider) -> None:
    lea = await house.person("lea")
    await lea.get(await begin(lea, provider))
    assert await house.pool.fetchval("SELECT oidc_subject FROM account WHERE name = 'lea'") == "person-1"
    client = house.browser()
    await client.get(await begin(client, provider))
    assert "lea" in (await client.get("/account")).text
    await house.pool.execute("UPDATE account SET disabled_at = now() WHERE name = 'lea'")
    other = house.browser()
    assert (await other.get(await begin(other, provider))).status_code == 403


async def test_strangers_are_not_let_in_unless_that_is_wanted(house: House, provider: Provider) -> None:
    state = house.app.state.web
    state.settings = state.settings.model_copy(update={"oidc_create": False})
    client = house.browser()
    assert (await client.get(await begin(client, provider))).status_code == 403
    assert await house.pool.fetchval("SELECT count(*) FROM account") == 4


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"aud": ["paws", "another"]},
        {"aud": ["paws", "another"], "azp": "another"},
        {"exp": 1_000_000},
        {"exp": None},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
        {"iat": None},
    ],
)
async def test_tokens_that_say_something_else(
    house: House, provider: Provider, claims: dict[str, Any]
) -> None:
    provider.claims = claims
    client = house.browser()
    assert (await client.get(await begin(client, provider))).status_code == 403
    assert (await client.get("/account")).status_code == 401


async def test_tokens_signed_otherwise(house: House, provider: Provider) -> None:
    client = house.browser()
    provider.signing = RSAKey.generate_key(2048, {"kid": "k1"}, private=True)
    assert (await client.get(await begin(client, provider))).status_code == 403
    # With a secret that we share: the classic confusion of algorithms.
    provider.signing = OctKey.import_key("s/ecret" * 8)
    provider.header = {"alg": "HS256", "kid": "k1"}
    assert (await client.get(await begin(client, provider))).status_code == 403


async def test_return_belongs_to_the_browser_that_began(house: House, provider: Provider) -> None:
    client, other = house.browser(), house.browser()
    path = await begin(client, provider)
    await other.get("/sign-in")
    assert (await other.get(path)).status_code == 403, "a stranger's return"
    assert (await client.get(path)).status_code == 403, "used up"
    path = await begin(client, provider)
    assert (await client.get(f"{path}&iss=https://evil.example")).status_code == 403
    path = await begin(client, provider)
    assert (await client.get(path.replace("code=code-1", "error=access_denied"))).status_code == 403
    path = await begin(client, provider)
    assert (await client.get(path.replace("code-1", "code-2"))).status_code == 403
    for bad in ("/sign-in/return", "/sign-in/return?state=x&code=y", f"/sign-in/return?state={'x' * 5000}"):
        assert (await client.get(bad)).status_code == 403


async def test_nobody_is_led_elsewhere_by_the_target(house: House, provider: Provider) -> None:
    client = house.browser()
    found = await client.get(await begin(client, provider, "//evil.example"))
    assert found.headers["location"] == "/"


async def test_issuer_that_is_away_or_another(house: House, provider: Provider) -> None:
    provider.says = {"issuer": "https://evil.example"}
    assert (await house.browser().get("/sign-in/elsewhere")).status_code == 502

    def gone(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("gone")

    house.app.state.web.issuer = Issuer(house.app.state.web.settings, httpx.MockTransport(gone))
    assert (await house.browser().get("/sign-in/elsewhere")).status_code == 502


async def test_without_an_issuer_there_is_nothing(house: House) -> None:
    assert (await house.browser().get("/sign-in/elsewhere")).status_code == 404
    lea = await house.person("lea")
    assert (await send(lea, "/sign-out", "/")).status_code == 303
