"""What the caller of a request may do: its scopes, and the collections it is limited to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from media_proto import metadata_pb2 as pb
from starlette.requests import Request

from gateway.errors import Failure

_SCOPE_KEY: Final = "framewell.access"
NO_ACCESS: Final = "The key has no access to this collection."


@dataclass(frozen=True, slots=True)
class Access:
    """A key, or a local caller that needs none."""

    key_id: str  # 32 hex digits; a word for what is no key of the catalogue
    name: str
    scopes: frozenset[str]
    collections: frozenset[int] | None  # None: all

    @classmethod
    def of_key(cls, key: pb.Key) -> Access:
        limited = None if key.all_collections else frozenset(key.collection_ids)
        return cls(key.uuid.hex(), key.name, frozenset(key.scopes), limited)

    def may(self, scope: str) -> bool:
        """Whether the caller may do what the scope says; `admin` is every scope, `write` includes `trash`."""
        return not self.scopes.isdisjoint({scope, "admin"} | ({"write"} if scope == "trash" else set()))

    def sees(self, collection_id: int) -> bool:
        return self.collections is None or collection_id in self.collections

    def require(self, scope: str) -> None:
        """
        Raises:
            Failure: 403, the key lacks the scope.
        """
        if not self.may(scope):
            raise Failure(403, "forbidden", f"The key lacks the scope '{scope}'.", {"required_capability": scope})

    def require_collection(self, collection_id: int) -> None:
        """
        Raises:
            Failure: 403, the key is limited to other collections.
        """
        if not self.sees(collection_id):
            raise Failure(403, "forbidden", NO_ACCESS, {"required_capability": "read"})


def _everything(name: str) -> Access:
    return Access(name, name, frozenset(("read", "write", "trash", "empty-trash", "admin")), None)


ADMIN: Final = _everything("admin")
LOCAL: Final = _everything("local")


def grant(scope: object, access: Access) -> None:
    """Note on the request's ASGI scope who was let in."""
    assert isinstance(scope, dict)
    scope[_SCOPE_KEY] = access


def access_of(request: Request) -> Access:
    """Who was let in at the door."""
    access = request.scope[_SCOPE_KEY]
    assert isinstance(access, Access)
    return access
