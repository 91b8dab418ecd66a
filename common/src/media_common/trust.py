"""Who is trusted on a service's port: the files and the token that say so, read from the settings. Nothing of it is set
by default, and whoever reaches a port is trusted. `grpc_server` and `grpc_client` act on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from media_common.config import PublicSettings, SettingsError

CERTIFICATE: Final = "GRPC_TLS_CERT_FILE"
KEY: Final = "GRPC_TLS_KEY_FILE"
AUTHORITY: Final = "GRPC_TLS_CA_FILE"

#: What a socket's address begins with. It is behind the permissions of its folder, and no certificate could name it.
SOCKET: Final = "unix:"


class Pem(NamedTuple):
    """What the files hold."""

    certificate: bytes
    key: bytes
    authority: bytes


@dataclass(frozen=True, slots=True)
class Identity:
    """A service's certificate with its key, and the authority that everybody's must be from."""

    certificate: Path
    key: Path
    authority: Path
    #: As they were at the start.
    pem: Pem = field(repr=False)

    def read(self) -> Pem:
        """As they are now: certificates are renewed.

        Raises:
            OSError: one cannot be read.
        """
        return Pem(self.certificate.read_bytes(), self.key.read_bytes(), self.authority.read_bytes())


@dataclass(frozen=True, slots=True)
class Trust:
    """What a caller must have. It is also what this process shows and sends where it is the caller itself."""

    #: None: calls are not encrypted, and no certificate is asked for.
    identity: Identity | None = None
    #: Empty: none is asked for.
    token: str = field(default="", repr=False)

    def identity_for(self, address: str) -> Identity | None:
        """What is shown at that address; None: calls go there as they are."""
        return None if address.startswith(SOCKET) else self.identity


ANYBODY: Final = Trust()


def trusted(public: PublicSettings) -> Trust:
    """
    Raises:
        SettingsError: files are missing, cannot be read, or do not belong together; the sentence names which.
    """
    files = {
        CERTIFICATE: public.grpc_tls_cert_file,
        KEY: public.grpc_tls_key_file,
        AUTHORITY: public.grpc_tls_ca_file,
    }
    missing = [variable for variable, file in files.items() if not file]
    if len(missing) == len(files):
        return Trust(token=public.grpc_token)
    if missing:
        raise SettingsError(f"TLS between the services needs three files; set {' and '.join(missing)} too.")
    pem = Pem(*(_content(variable, file) for variable, file in files.items()))
    _check(files)
    identity = Identity(Path(files[CERTIFICATE]), Path(files[KEY]), Path(files[AUTHORITY]), pem)
    return Trust(identity, public.grpc_token)


def _content(variable: str, file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise SettingsError(f"{variable}={file!r} cannot be read: {error.strerror}.") from None
    except ValueError:  # a name that no file can have
        raise SettingsError(f"{variable}={file!r} is no name of a file.") from None


def _check(files: Mapping[str, str]) -> None:
    """That they are what they must be. gRPC would say that it cannot listen, and a caller that nobody answers."""
    import ssl  # only where it is asked for

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for variable in (CERTIFICATE, AUTHORITY):
        try:
            context.load_verify_locations(files[variable])
        except ssl.SSLError:
            raise SettingsError(f"{variable}={files[variable]!r} holds no certificate in PEM.") from None
    try:
        # Without this, a password would be asked for at the terminal.
        context.load_cert_chain(files[CERTIFICATE], files[KEY], password="")
    except ssl.SSLError as error:
        if error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"):
            told = f"is not the key of {CERTIFICATE}={files[CERTIFICATE]!r}"
        else:
            told = "is no private key in PEM, or one with a password"
        raise SettingsError(f"{KEY}={files[KEY]!r} {told}.") from None
