"""HTTP that cannot be parsed never reaches the application; its refusal is written here, in the form of any other."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_to_bytes

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.dialects import dialect_of
from gateway.errors import BODIES, Failure
from gateway.paths import dumps

MESSAGE: Final = "The request is not valid HTTP."


class SpeakingProtocol(HttpToolsProtocol):
    """The server's own, but for the text of its one refusal."""

    def send_400_response(self, msg: str) -> None:
        """In the dialect of the address, as far as that was read."""
        path = unquote_to_bytes(getattr(self, "url", b"").partition(b"?")[0]).decode("latin-1")
        body = dumps(BODIES[dialect_of("/" + path.lstrip("/"))](Failure(400, "invalid_http", MESSAGE)))
        self.transport.write(
            STATUS_LINE[400]
            + b"content-type: application/json\r\nx-content-type-options: nosniff\r\nconnection: close\r\n"
            + b"content-length: %d\r\n\r\n" % len(body)
            + body
        )
        self.transport.close()
