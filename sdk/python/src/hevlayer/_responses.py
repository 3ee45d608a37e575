"""An answer that stands for an error which nobody may answer with a retry.

The official client repeats a call whose transport raises, whatever it raises. It also repeats answers by their status, but
asks them to raise first: an answer whose `raise_for_status` raises another error than httpx's ends the call at once, in any
official client, without its help.
"""

from __future__ import annotations

from typing import NoReturn

import httpx2
from turbopuffer import APIConnectionError
from typing_extensions import override


class FinalError(httpx2.Response):
    """Raises its error where the official client looks at the status. To other callers it is a 503."""

    def __init__(self, error: APIConnectionError, cause: BaseException | None) -> None:
        super().__init__(
            503,
            headers={"x-should-retry": "false"},
            json={"error": type(error).__name__, "message": error.message},
            request=error.request,
        )
        error.__cause__ = cause
        self.final_error = error

    @override
    def raise_for_status(self) -> NoReturn:
        """Raises the error."""
        raise self.final_error
