"""What storing a blob answers."""

from __future__ import annotations

from turbopuffer import BaseModel


class Blob(BaseModel):
    """Bytes that were stored."""

    ref: str
    """What a row keeps in an attribute to refer to them."""
    sha256: str
    """Their hash, 64 lowercase hexadecimal digits."""
    size: int
    """How many there are."""
