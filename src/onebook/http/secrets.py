"""Secrets of tokens and hooks: made at random, kept as their SHA-256, compared in constant time."""

import hashlib
import hmac
import secrets

SECRET_BYTES = 32
LONGEST = 200
"""Characters of what may be a secret; longer texts are none, and are not hashed."""

TOKEN_PREFIX = "obt_"  # noqa: S105  it says what follows, so that scanners of leaked secrets know it
HOOK_PREFIX = "obh_"


def new_secret(prefix: str) -> str:
    """Return a secret of 256 random bits, as text that fits into an address.

    Args:
        prefix: what it begins with: ``TOKEN_PREFIX`` or ``HOOK_PREFIX``.
    """
    return prefix + secrets.token_urlsafe(SECRET_BYTES)


def digest_of(secret: str) -> str:
    """Return the SHA-256 of a secret as 64 hexadecimal digits.

    A slow hash would protect secrets that people choose; against 256 random bits nobody can try any number.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def is_secret(given: str, digest: str) -> bool:
    """Say in constant time whether a secret is the one of a digest."""
    return len(given) <= LONGEST and hmac.compare_digest(digest_of(given), digest)


def csrf_of(secret: str) -> str:
    """Return what a page must send beside the cookie of this secret: it follows from it, and does not tell it."""
    return hmac.new(secret.encode("utf-8", "surrogatepass"), b"onebook csrf", hashlib.sha256).hexdigest()


def is_csrf(given: str, secret: str) -> bool:
    """Say in constant time whether this is what goes with the cookie of a secret."""
    return hmac.compare_digest(given.encode("latin-1", "replace"), csrf_of(secret).encode("ascii"))
