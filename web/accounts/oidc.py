"""OpenID Connect, as a relying party: discovery, authorization code with PKCE, state, nonce, checked ID tokens.

Signatures and claims are joserfc's; the flow is two requests (RFC 6749, RFC 7636), and here is what we insist on
(OpenID Connect Core 1.0, section 3.1.3.7).
"""

from __future__ import annotations

import base64
import hashlib
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from paws.accounts.secrets import digest, new_secret, same
from paws.database import Connection
from paws.errors import PermanentError, RetriableError
from paws.log import get_logger
from paws.settings import Settings

log = get_logger(__name__)

RETURN_PATH: Final = "/sign-in/return"
_DEADLINE: Final = 10.0
_LASTS: Final = timedelta(minutes=10)
_KEPT: Final = 3600.0
_ALGORITHMS: Final = [
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
]
"""Signatures with a public key alone: with others, or none, whoever knows our secret could sign."""
_LEEWAY: Final = 60


class IssuerAwayError(RetriableError):
    """The issuer does not answer."""

    code = "oidc_away"


class IssuerRefusedError(PermanentError):
    """The issuer, or what it sent, does not let the person in. The message says so without details."""

    code = "oidc_refused"


@dataclass(frozen=True)
class Identity:
    """Whom an issuer vouches for.

    Attributes
    ----------
    email
        Empty unless the issuer has verified it.
    """

    issuer: str
    subject: str
    name: str
    full_name: str
    email: str


@dataclass(frozen=True)
class Provider:
    """An issuer, as it describes itself."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class Issuer:
    """The issuer of the settings.

    Parameters
    ----------
    settings
        With issuer, client and secret.
    transport
        Another way to it, for tests.
    """

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.issuer = settings.oidc_issuer.rstrip("/")
        self._client_id = settings.oidc_client_id
        self._secret = settings.oidc_client_secret.get_secret_value()
        self._transport = transport
        self._provider: tuple[float, Provider] | None = None

    async def _get(self, url: str) -> Any:
        try:
            async with httpx.AsyncClient(timeout=_DEADLINE, transport=self._transport) as client:
                answer = await client.get(url)
                answer.raise_for_status()
                return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise IssuerAwayError(f"{self.issuer} does not answer as an issuer: {error!r}.") from error

    async def provider(self) -> Provider:
        """Its description, asked for once an hour.

        Raises
        ------
        IssuerAwayError
            If it does not answer.
        IssuerRefusedError
            If it says that it is another.
        """
        if self._provider and time.monotonic() - self._provider[0] < _KEPT:
            return self._provider[1]
        document = await self._get(f"{self.issuer}/.well-known/openid-configuration")
        if not isinstance(document, dict) or str(document.get("issuer", "")).rstrip("/") != self.issuer:
            raise IssuerRefusedError("The issuer says that it is another. Check PAWS_OIDC_ISSUER.")
        try:
            found = Provider(
                str(document["authorization_endpoint"]),
                str(document["token_endpoint"]),
                str(document["jwks_uri"]),
            )
        except KeyError as error:
            raise IssuerRefusedError(f"The issuer's description lacks {error}.") from error
        self._provider = (time.monotonic(), found)
        return found

    async def begin(self, connection: Connection, base: str, visit: str, target: str, now: datetime) -> str:
        """Begin a sign-in of the browser with this visit. Returns where to send it."""
        provider = await self.provider()
        state, nonce, verifier = new_secret(), new_secret(), new_secret() + new_secret()
        await connection.execute("DELETE FROM oidc_sign_in WHERE expires_at < $1", now)
        await connection.execute(
            "INSERT INTO oidc_sign_in (state_hash, visit_hash, nonce, verifier, target, expires_at)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            *(digest(state), digest(visit), nonce, verifier, target, now + _LASTS),
        )
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": f"{base}{RETURN_PATH}",
            "scope": "openid profile email",
            "state": state,
            "nonce": nonce,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in provider.authorization_endpoint else "?"
        return f"{provider.authorization_endpoint}{joint}{urlencode(asked)}"

    async def finish(
        self, connection: Connection, base: str, visit: str, answer: dict[str, str], now: datetime
    ) -> tuple[Identity, str]:
        """Take the browser's return. Returns who it is and where they wanted to go.

        Raises
        ------
        IssuerRefusedError
            If this browser began no such sign-in, it is used up or too old, or the ID token is not in order.
        IssuerAwayError
            If the issuer does not answer.
        """
        row = await connection.fetchrow(
            "DELETE FROM oidc_sign_in WHERE state_hash = $1 RETURNING visit_hash, nonce, verifier, target, expires_at",
            digest(answer.get("state", "")),
        )
        if row is None or row["expires_at"] < now or not visit or row["visit_hash"] != digest(visit):
            raise IssuerRefusedError("This sign-in was not begun here, or is too old. Begin again.")
        if "error" in answer or not answer.get("code"):
            raise IssuerRefusedError("The sign-in was refused or broken off there.")
        # RFC 9207: an answer mixed up from another issuer.
        if "iss" in answer and answer["iss"].rstrip("/") != self.issuer:
            raise IssuerRefusedError("The answer comes from another issuer.")
        provider = await self.provider()
        token = await self._exchange(provider, base, answer["code"], str(row["verifier"]))
        claims = await self._claims(provider, str(token.get("id_token", "")), str(row["nonce"]))
        return self._identity(claims), str(row["target"])

    async def _exchange(self, provider: Provider, base: str, code: str, verifier: str) -> dict[str, Any]:
        """Give the code for the tokens: only whoever began the sign-in has the verifier."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": f"{base}{RETURN_PATH}",
            "code_verifier": verifier,
        }
        # RFC 6749, section 2.3.1: both are encoded as in a form before they become a password.
        who: httpx.Auth = httpx.Auth()
        if self._secret:
            who = httpx.BasicAuth(quote_plus(self._client_id), quote_plus(self._secret))
        else:
            form["client_id"] = self._client_id
        try:
            async with httpx.AsyncClient(timeout=_DEADLINE, transport=self._transport) as client:
                answer = await client.post(
                    provider.token_endpoint, data=form, auth=who, headers={"Accept": "application/json"}
                )
                found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise IssuerAwayError(f"{self.issuer} does not answer: {error!r}.") from error
        if answer.status_code != httpx.codes.OK or not isinstance(found, dict):
            log.warning("the issuer refuses a code", status=answer.status_code)
            raise IssuerRefusedError("The issuer did not accept the answer. Begin again.")
        return found

    async def _claims(self, provider: Provider, id_token: str, nonce: str) -> dict[str, Any]:
        try:
            keys = KeySet.import_key_set(await self._get(provider.jwks_uri))
            claims = dict(jwt.decode(id_token, keys, algorithms=_ALGORITHMS).claims)
            jwt.JWTClaimsRegistry(
                leeway=_LEEWAY,
                iss={"essential": True, "values": [self.issuer, f"{self.issuer}/"]},
                aud={"essential": True, "value": self._client_id},
                exp={"essential": True},
                iat={"essential": True},
                sub={"essential": True},
                nonce={"essential": True},
            ).validate(claims)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            log.warning("an ID token is not in order", error=repr(error)[:200])
            raise IssuerRefusedError("What the issuer says of you is not in order.") from error
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if (several or "azp" in claims) and claims.get("azp") != self._client_id:
            raise IssuerRefusedError("What the issuer says of you is meant for somebody else.")
        if not same(str(claims["nonce"]), nonce):
            raise IssuerRefusedError("What the issuer says of you belongs to another sign-in.")
        return claims

    def _identity(self, claims: dict[str, Any]) -> Identity:
        def text(name: str) -> str:
            value = claims.get(name)
            return value if isinstance(value, str) and value.isprintable() else ""

        return Identity(
            self.issuer,
            str(claims["sub"])[:255],
            text("preferred_username"),
            text("name")[:120],
            text("email") if claims.get("email_verified") is True else "",
        )


def _challenge(verifier: str) -> str:
    """Code challenge of a verifier (RFC 7636, S256)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
