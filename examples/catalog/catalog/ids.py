"""Document ids that Turbopuffer accepts: at most 64 bytes, the same for the same name on each start."""

from __future__ import annotations

import hashlib

MAX_ID_BYTES = 64
MAX_ID_INTEGER = 2**64 - 1
_DIGEST_DIGITS = 32


def document_id(name: str) -> str:
    """The id for a name: the name itself, or for a longer one its beginning, a `~` and 128 bits of its SHA-256.

    The beginning keeps the id readable; the digest keeps two long names that begin alike apart.
    """
    encoded = name.encode()
    if len(encoded) <= MAX_ID_BYTES:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:_DIGEST_DIGITS]
    # A cut inside a character leaves bytes that are no text; "ignore" drops just those.
    head = encoded[: MAX_ID_BYTES - _DIGEST_DIGITS - 1].decode(errors="ignore")
    return f"{head}~{digest}"
