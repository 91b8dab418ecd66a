"""The parts of search put together: the encoder, the store, and what answers now, also while a model is switched.

An alias in the store says whose vectors answer. When another encoder is wanted, its space is filled beside; queries are
answered whole by the old model until somebody says that the new space covers every item. Then the alias is flipped, and
what the old model left goes when its last query is over.

A model that cannot be loaded may come back. Until then the wanted one stands in with what it has; the alias stays where
it is, and nothing of the absent one goes before another one that was asked for covers every item.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from search_service.domain.errors import EncoderUnavailable, NoSuchVectors, StoreUnavailable
from search_service.domain.points import objects_of
from search_service.domain.vectors import VectorStore
from search_service.encoders.choosing import Choosing, checked_setting
from search_service.encoders.kept import KeptEncoder, State, Status
from search_service.encoders.names import setting_of
from search_service.encoders.port import Encoder
from search_service.spaces import Answering, Decode, Space

logger = logging.getLogger(__name__)

OpenStore = Callable[[], Awaitable[VectorStore]]
#: The alias of the space that answers.
ANSWERS: Final = "answers"


class Engine:
    """Opened when it is first needed: a store or a model that is away is asked for again by the next call."""

    def __init__(self, choosing: Choosing, open_store: OpenStore, decode: Decode) -> None:
        #: What brings a space all that is not items, from the named one, before it answers.
        self.carry: Callable[[VectorStore, str, Space], Awaitable[None]] | None = None
        self.decode = decode
        #: Told when there may be something to fill: vectors were lost, or another model is wanted for good.
        self.on_lost: Callable[[], None] = lambda: None
        self._choosing = choosing
        self._open_store = open_store
        self._wanted = choosing.kept(choosing.wanted)
        self._now: Space | None = None
        self._next: Space | None = None
        #: The space of the alias, while its model cannot be loaded and another one stands in.
        self._absent = ""
        self._opening = asyncio.Lock()
        self._turning = asyncio.Lock()
        self._store: VectorStore | None = None
        self._trouble = ""
        self._leaving: set[asyncio.Task[None]] = set()

    # ---- what is told ----

    @property
    def status(self) -> Status:
        """Of the encoder that answers."""
        return (self._now.kept if self._now is not None else self._wanted).status

    @property
    def next_status(self) -> Status | None:
        """Of the encoder that is wanted instead."""
        return None if self._now is None or self._now.kept is self._wanted else self._wanted.status

    @property
    def reason(self) -> str:
        """Why there is no search, in a sentence; empty when there is."""
        status = self.status
        if status.state is State.LOADING:
            return "The model is being loaded, or has not been asked for yet."
        return self._trouble if status.state is State.READY else status.reason

    async def vectors(self) -> dict[str, int]:
        """How many there are: of items that "answer", and of those that will ("next"). What is not open stays so."""
        if self._store is None:
            return {}
        spaces = {"answering": self._now, "next": self._next}
        return {name: await self._store.count(space.name) for name, space in spaces.items() if space is not None}

    # ---- searching ----

    async def store(self) -> VectorStore:
        """
        Raises:
            StoreUnavailable: it cannot be opened now.
        """
        async with self._opening:
            if self._store is None:
                try:
                    self._store = await self._open_store()
                except StoreUnavailable as error:
                    self._trouble = error.message
                    raise
                self._trouble = ""
            return self._store

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[Answering]:
        """What answers a query, and stays until the query is over.

        Raises:
            EncoderUnavailable, StoreUnavailable: with the reason.
        """
        store, space = await self._answering_space()
        space.enter()
        try:
            yield Answering(space, store)
        except NoSuchVectors as error:
            await self.lost()
            raise StoreUnavailable("The vectors were removed from the store; they are made again.") from error
        finally:
            space.leave()

    # ---- filling and switching ----

    async def filling(self) -> list[Space]:
        """What has to hold every item: the space that answers and, while it is filled, the one that will.

        Empty when search is switched off. While the next model cannot be loaded, it is left out.

        Raises:
            EncoderUnavailable, StoreUnavailable: nothing can be filled, with the reason.
        """
        if self._wanted.status.state is State.OFF:
            return []
        store, now = await self._answering_space()
        settled = self._next.is_loaded if self._next is not None else now.kept is self._wanted
        if settled and self._now is now and not self._unneeded():
            return [space for space in (now, self._next) if space is not None]
        async with self._turning:
            try:
                await self._prepare_next(store)
            except EncoderUnavailable as error:
                logger.debug("the next encoder cannot be filled: %s", error.message)
            return [space for space in (self._now or now, self._next) if space is not None]

    async def lost(self) -> None:
        """Somebody missed vectors: a space that is not in the store any more is made anew by the next who needs it."""
        with suppress(StoreUnavailable):  # it is missed again
            store = await self.store()
            async with self._turning:
                there = await store.collections()
                gone = [space for space in (self._now, self._next) if space is not None and space.name not in there]
                self._now = None if self._now in gone else self._now
                self._next = None if self._next in gone else self._next
                self._absent = "" if self._now is None else self._absent  # it is tried again
                for space in gone:
                    logger.warning("the vectors of %s are gone from the store; they are made again", space.name)
                    self._leave(store, space.kept, space)
            if gone:
                self.on_lost()

    async def covered(self, name: str) -> None:
        """The space holds every item: when it holds their objects too it answers, and what was before goes.

        Said of the one that answers, or of one that is no longer wanted, it changes nothing.

        Raises:
            EncoderUnavailable, StoreUnavailable, OutOfReach: nothing has changed, to be said again.
        """
        store, now, following = await self.store(), self._now, self._next
        if following is None and self._absent:
            following = now
        if now is None or following is None or following.name != name:
            return
        for before in {now.name, self._absent} - {following.name, ""}:
            if self.carry is not None:
                await self.carry(store, before, following)
        async with self._turning:
            # What stands in for the first choice never takes its place: that may come back with the next start.
            if self._next is following or (self._stands_in(following) and self._wanted.is_first_choice):
                await self._turn_to(store, following)

    async def use(self, setting: str) -> None:
        """Fill the space of another encoder, and let it answer when it covers all.

        Raises:
            InvalidArgument: there can be no such encoder.
            EncoderUnavailable: it cannot be loaded, or search is switched off; nothing has changed.
        """
        checked_setting(setting)
        if self._wanted.status.state is State.OFF:
            raise EncoderUnavailable(self._wanted.status.reason)
        fresh = self._choosing.kept(setting)
        try:
            encoder = await fresh.ready()
            store = await self.store()
        except BaseException:
            await fresh.close()
            raise
        async with self._turning:
            if self._now is None:
                with suppress(EncoderUnavailable):
                    await self._settled(store)
            before, self._wanted = self._wanted, fresh
            given_up, self._next = self._next, None
            self._choosing.want(setting)
            if self._now is None:  # what was wanted before cannot be loaded: this one answers with what it has
                await self._stand_in(store, await self._made(store, encoder, fresh))
            else:
                await self._prepare_next(store)
            self._leave(store, before, given_up)
        if self._absent:
            self.on_lost()

    async def close(self) -> None:
        for task in self._leaving:
            task.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        for kept in {self._wanted, *(space.kept for space in (self._now, self._next) if space is not None)}:
            await kept.close()
        if self._store is not None:
            await self._store.close()

    # ---- steps; those below `_turning` are taken one at a time ----

    async def _answering_space(self) -> tuple[VectorStore, Space]:
        if self._wanted.status.state is State.OFF:
            raise EncoderUnavailable(self._wanted.status.reason)
        store, now = await self.store(), self._now
        if now is None or not now.is_loaded:
            async with self._turning:
                now = await self._settled(store)
        return store, now

    async def _settled(self, store: VectorStore) -> Space:
        """The space that answers, its model loaded.

        Raises:
            EncoderUnavailable: it cannot be loaded, and there is no other.
        """
        name = self._now.name if self._now is not None else (await store.aliases()).get(ANSWERS, "")
        if self._now is not None:
            kept = self._now.kept
        elif self._choosing.is_another(name):
            kept = self._choosing.kept(self._choosing.setting_of(name), name)
        else:
            kept = self._wanted
        try:
            encoder = await kept.ready()
        except EncoderUnavailable:
            if self._now is not None or kept is self._wanted:
                raise
            await kept.close()
            kept, encoder = self._wanted, await self._wanted.ready()
            if encoder.space != name:
                return await self._stand_in(store, await self._made(store, encoder, kept))
        if encoder.space == name:
            if self._now is None:
                self._now = await self._made(store, encoder, kept)
            return self._now
        return await self._turned_out_another(store, encoder, kept, name)

    async def _turned_out_another(self, store: VectorStore, encoder: Encoder, kept: KeptEncoder, name: str) -> Space:
        """The wanted model is not that of the vectors there are, if any: its own one answers, when it is to be had."""
        if setting := self._choosing.setting_of(name):
            old = self._choosing.kept(setting, name)
            try:
                self._now = await self._made(store, await old.ready(), old)
                return self._now
            except EncoderUnavailable:
                await old.close()
        return await self._stand_in(store, await self._made(store, encoder, kept))

    async def _prepare_next(self, store: VectorStore) -> None:
        """Have the wanted model's space ready to be filled, when it is not the one that answers.

        Raises:
            EncoderUnavailable: it cannot be loaded.
        """
        now = self._now
        if now is None or now.kept is self._wanted:
            if self._unneeded():  # a switch that was cut short
                self._leave(store)
            return
        encoder = await self._wanted.ready()
        if encoder.space == now.name:  # the same model by another name: one copy is enough
            self._now, self._next = await self._made(store, encoder, self._wanted), None
            self._leave(store, now.kept, now)
        elif self._next is None or self._next.name != encoder.space:
            self._next = await self._made(store, encoder, self._wanted)

    async def _made(self, store: VectorStore, encoder: Encoder, kept: KeptEncoder) -> Space:
        self._choosing.remember(encoder.space, setting_of(encoder.name, encoder.model))
        await store.ensure(encoder.space, encoder.dimensions)
        return Space(encoder, kept, self.decode)

    async def _stand_in(self, store: VectorStore, space: Space) -> Space:
        """It answers with what it has, since the model of the vectors there are, if any, cannot be loaded."""
        name = (await store.aliases()).get(ANSWERS, "")
        if name in ("", space.name):
            return await self._turn_to(store, space)
        self._choosing.remember(name, self._choosing.setting_of(name))  # so that it is found when it is to go
        logger.warning(
            "%s answers with what it has; the vectors of %s stay for when its model is back", space.name, name
        )
        self._absent = name
        self._now_is(store, space)
        return space

    def _stands_in(self, space: Space) -> bool:
        return bool(self._absent) and space is self._now and self._next is None and space.kept is self._wanted

    async def _turn_to(self, store: VectorStore, space: Space) -> Space:
        await store.set_alias(ANSWERS, space.name)
        logger.info("%s answers from now on", space.name)
        self._absent = ""
        self._now_is(store, space)
        return space

    def _now_is(self, store: VectorStore, space: Space) -> None:
        before, self._now, self._next = self._now, space, None
        left = None if before is space else before
        self._leave(store, None if left is None else left.kept, left)

    def _unneeded(self) -> set[str]:
        """The spaces that nobody fills, nor will when a model is back."""
        filled = {space.name for space in (self._now, self._next) if space is not None}
        return set(self._choosing.spaces) - filled - {self._absent}

    def _leave(self, store: VectorStore, kept: KeptEncoder | None = None, space: Space | None = None) -> None:
        """Let go of a model and a space, when their last query is over, and of every space that nobody fills."""
        task = asyncio.create_task(self._left(store, kept, space))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _left(self, store: VectorStore, kept: KeptEncoder | None, space: Space | None) -> None:
        if space is not None:
            await space.unused()
        async with self._turning:
            used = {self._wanted, *(one.kept for one in (self._now, self._next) if one is not None)}
            for gone in {kept, space.kept if space is not None else None} - used - {None}:
                assert gone is not None
                await gone.close()
            if self._now is None or (self._now.kept is not self._wanted and self._next is None):
                return  # what the wanted model's space is called is not known yet
            for name in self._unneeded():
                try:
                    await store.drop(objects_of(name))
                    await store.drop(name)
                except StoreUnavailable as error:  # the next time that something is left
                    logger.warning("old vectors are still there: %s", error.message)
                    return
                self._choosing.forget(name)
                logger.info("removed the vectors of %s", name)
