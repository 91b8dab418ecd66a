"""Whether a service says that it is well: a container's whole health check.

    python -m media_common.healthcheck grpc://127.0.0.1:50051       health of the process, or of /a.service.by.Name
    python -m media_common.healthcheck http://127.0.0.1:8080/health/live

Exit status 0 when it is, else 1 with a sentence. It runs every few seconds beside every service, and importing gRPC
takes four times as long as all the rest; so the one call there is, `grpc.health.v1.Health/Check`, is spoken by hand:
some hundred bytes of HTTP/2. Nothing but the standard library may be imported here, and little of that.

Where GRPC_TLS_CERT_FILE is set, as it is for the service, the call goes over TLS with the service's own certificate.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence

_TIMEOUT_S = 4.0
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_STREAM, _END_HEADERS = 1, 4
_STREAM = 1
_FRAME_HEAD = 9
_MESSAGE_HEAD = 5
#: A HealthCheckResponse whose status is SERVING.
_SERVING = b"\x08\x01"
#: The settings of `media_common.trust`, whose import would take longer than all the rest.
_TLS_FILES = ("GRPC_TLS_CERT_FILE", "GRPC_TLS_KEY_FILE", "GRPC_TLS_CA_FILE")
#: Who asks itself knows whom it asks; its certificate has the name that others call it by.
_ITSELF = ("127.0.0.1", "localhost", "[::1]")
#: An answer to this question is some hundred bytes.
_MOST_BYTES = 64 * 1024


class Unwell(Exception):
    """It does not answer, or says that it is not serving; the text says which."""


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        print("one address is needed: grpc://host:port or http://host:port/path", file=sys.stderr)
        return 2
    try:
        check(arguments[0])
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    except Unwell as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def check(address: str) -> None:
    """Returns when what is there is well.

    Raises:
        ValueError: it is no address.
        Unwell
    """
    scheme, separator, rest = address.partition("://")
    place, _, path = rest.partition("/")
    host, _, port = place.rpartition(":")
    if not separator or scheme not in ("grpc", "http") or not host or not port.isdecimal():
        raise ValueError(
            f"{address!r} is no address such as grpc://127.0.0.1:50051 or http://127.0.0.1:8080/health/live"
        )
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _TIMEOUT_S) as link:
            if scheme == "http":
                _check_http(link, path)
            else:
                with _over_tls(link, host) as shown:
                    _check_grpc(shown, path)
    except (OSError, OverflowError) as error:
        raise Unwell(f"{address} does not answer: {error}") from error


def _check_http(link: socket.socket, path: str) -> None:
    link.sendall(f"GET /{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode("ascii", "replace"))
    status = b""
    while b"\r\n" not in status and len(status) < _MOST_BYTES and (more := link.recv(1024)):
        status += more
    line = status.partition(b"\r\n")[0]
    if line.split(b" ")[1:2] != [b"200"]:
        raise Unwell(f"/{path} answers {line.decode('latin-1')!r}")


def _over_tls(link: socket.socket, host: str) -> socket.socket:
    """The link as it is where nothing is set."""
    certificate, key, authority = (os.environ.get(name, "") for name in _TLS_FILES)  # noqa: TID251 - see _TLS_FILES
    if not certificate:
        return link
    import ssl  # as much again as all the rest

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = host not in _ITSELF
    context.load_verify_locations(authority)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2"])
    return context.wrap_socket(link, server_hostname=host.strip("[]") if context.check_hostname else None)


def _check_grpc(link: socket.socket, service: str) -> None:
    link.sendall(question(service))
    answer = _Answer(link)
    body = b""
    while len(body) < _MESSAGE_HEAD or len(body) < _MESSAGE_HEAD + int.from_bytes(body[1:_MESSAGE_HEAD]):
        kind, flags, stream, payload = answer.frame()
        if stream != _STREAM:
            continue
        if kind == _DATA:
            body += payload
        if flags & _END_STREAM:
            break
    if body[_MESSAGE_HEAD:] != _SERVING:
        # Without a message: the status in the trailers is an error's, of a service that is not known, say.
        raise Unwell(f"{service or 'the process'} says that it is not serving")


def question(service: str) -> bytes:
    """All bytes that the client sends: preface, settings, one call with one message.

    Raises:
        ValueError: a name that no service has.
    """
    name = service.encode("ascii")
    message = b"\x0a" + _short(name) if name else b""
    headers = (
        b"\x83"  # :method POST
        b"\x86"  # :scheme http
        + b"\x04" + _short(b"/grpc.health.v1.Health/Check")  # :path
        + b"\x01" + _short(b"localhost")  # :authority
        + b"\x0f\x10" + _short(b"application/grpc")  # content-type
        + b"\x00" + _short(b"te") + _short(b"trailers")
    )  # fmt: skip
    data = b"\x00" + len(message).to_bytes(4) + message
    return (
        _PREFACE
        + _frame(_SETTINGS, 0, 0, b"")
        + _frame(_HEADERS, _END_HEADERS, _STREAM, headers)
        + _frame(_DATA, _END_STREAM, _STREAM, data)
    )


class _Answer:
    """Frames as they come."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._left = _MOST_BYTES

    def frame(self) -> tuple[int, int, int, bytes]:
        """Kind, flags, stream, payload."""
        head = self._read(_FRAME_HEAD)
        payload = self._read(int.from_bytes(head[:3]))
        return head[3], head[4], int.from_bytes(head[5:]) & 0x7FFFFFFF, payload

    def _read(self, size: int) -> bytes:
        self._left -= size
        if self._left < 0:
            raise Unwell("it answers at length, which is not gRPC")
        found = b""
        while len(found) < size:
            if not (more := self._link.recv(size - len(found))):
                raise Unwell("it ended the connection")
            found += more
        return found


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def _short(text: bytes) -> bytes:
    """With its length before it, as header strings and protobuf's both are while shorter than 127 bytes."""
    if len(text) >= 0x7F:
        raise ValueError("a name of a service has less than 127 letters")
    return bytes((len(text),)) + text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
