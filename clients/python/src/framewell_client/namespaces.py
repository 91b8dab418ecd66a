"""Methods written once, blocking or awaited by what their namespace sends with.

A method of a namespace is a pure function from its arguments to a `Call` or a `Feed`. The decorators here make of it,
for the type checker too, `(…) -> T` or `(…) -> Coroutine[T]`, and `(…) -> Stream[T]` or `(…) -> AsyncStream[T]`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import update_wrapper
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from framewell_client.awaiting import AsyncSender, AsyncStream
from framewell_client.blocking import Sender, Stream
from framewell_client.feeds import Feed
from framewell_client.wire import Call

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", Sender, AsyncSender)


class Namespace(Generic[S]):
    """The calls of one dialect over one sender."""

    def __init__(self, sender: S) -> None:
        self._sender: S = sender


class call(Generic[P, T]):
    """One request, one answer."""

    def __init__(self, build: Callable[Concatenate[Any, P], Call[T]]) -> None:
        def sent(namespace: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any:
            return namespace._sender.send(build(namespace, *args, **kwargs))

        self._sent = update_wrapper(sent, build)
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, instance: Namespace[Sender], owner: type[Any]) -> Callable[P, T]: ...
    @overload
    def __get__(self, instance: Namespace[AsyncSender], owner: type[Any]) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, instance: Any, owner: type[Any]) -> Any:
        return self if instance is None else MethodType(self._sent, instance)


class stream(Generic[P, T]):
    """Values one after the other, however many requests they take."""

    def __init__(self, build: Callable[Concatenate[Any, P], Feed[T]]) -> None:
        def opened(namespace: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any:
            return namespace._sender.open(build(namespace, *args, **kwargs))

        self._opened = update_wrapper(opened, build)
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, instance: Namespace[Sender], owner: type[Any]) -> Callable[P, Stream[T]]: ...
    @overload
    def __get__(self, instance: Namespace[AsyncSender], owner: type[Any]) -> Callable[P, AsyncStream[T]]: ...
    def __get__(self, instance: Any, owner: type[Any]) -> Any:
        return self if instance is None else MethodType(self._opened, instance)
