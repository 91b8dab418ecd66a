"""Certificates and the token, over real sockets: who is let in, who is not, and how that is told."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from media_common.around_calls import AroundCalls
from media_common.config import PublicSettings, SettingsError
from media_common.errors import ErrorCode
from media_common.grpc_client import error_code_of, open_channel
from media_common.grpc_server import REQUEST_ID, serving
from media_common.logs import request_id
from media_common.testing import Certificates, free_port
from media_common.trust import ANYBODY, AUTHORITY, CERTIFICATE, KEY, Trust, trusted
from media_proto import fs_pb2, fs_pb2_grpc, metadata_pb2, metadata_pb2_grpc

TOKEN = "a-token-of-a-test"  # noqa: S105 - of these tests alone

Asked = Callable[[grpc.aio.Channel], Awaitable[str]]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("GRPC_T"):
            monkeypatch.delenv(name)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path / "certificates")


def trust_of(settings: dict[str, str], token: str = "") -> Trust:
    return trusted(PublicSettings(**settings, GRPC_TOKEN=token))


# ---- one call of each kind; each answers with the request id that it saw ----


class Files(fs_pb2_grpc.FsServiceServicer):
    async def GetSummary(self, request: fs_pb2.GetSummaryRequest, context: Any) -> fs_pb2.Summary:
        return fs_pb2.Summary(path=request_id.get().encode())

    async def Replay(self, request: fs_pb2.ReplayRequest, context: Any) -> AsyncIterator[fs_pb2.ItemBatch]:
        yield fs_pb2.ItemBatch(items=[fs_pb2.Item(path=request_id.get().encode())])
        yield fs_pb2.ItemBatch(last=True)


class Catalogue(metadata_pb2_grpc.MetadataServiceServicer):
    async def ImportCollection(self, requests: Any, context: Any) -> AsyncIterator[metadata_pb2.ImportStep]:
        async for _ in requests:
            yield metadata_pb2.ImportStep(collection=metadata_pb2.Collection(slug=request_id.get()))


async def summary(channel: grpc.aio.Channel, **along: Any) -> str:
    answer = await fs_pb2_grpc.FsServiceStub(channel).GetSummary(fs_pb2.GetSummaryRequest(), timeout=5, **along)
    return str(answer.path.decode())


async def replay(channel: grpc.aio.Channel, **along: Any) -> str:
    call = fs_pb2_grpc.FsServiceStub(channel).Replay(fs_pb2.ReplayRequest(), timeout=5, **along)
    batches = [batch async for batch in call]
    assert batches[-1].last
    return str(batches[0].items[0].path.decode())


async def imported(channel: grpc.aio.Channel, **along: Any) -> str:
    """As the gateway imports: written and read in turn."""
    call = metadata_pb2_grpc.MetadataServiceStub(channel).ImportCollection(timeout=5, **along)
    for _ in range(2):
        await call.write(metadata_pb2.ImportPart())
        step = await call.read()
    await call.done_writing()
    return str(step.collection.slug)


each_kind = pytest.mark.parametrize("ask", [summary, replay, imported])


@asynccontextmanager
async def served(address: str, trust: Trust, around: AroundCalls | None = None) -> AsyncIterator[str]:
    def register(server: grpc.aio.Server) -> None:
        fs_pb2_grpc.add_FsServiceServicer_to_server(Files(), server)
        metadata_pb2_grpc.add_MetadataServiceServicer_to_server(Catalogue(), server)

    async with serving(address, register, ["framewell.fs.v1.FsService"], 0.2, [around] if around else [], trust):
        yield address


@asynccontextmanager
async def connected(address: str, trust: Trust = ANYBODY, *, marked: bool = True) -> AsyncIterator[grpc.aio.Channel]:
    """A channel that has got through, however busy the machine is."""
    async with open_channel(address, trust, marked=marked) as channel:
        async with asyncio.timeout(20):
            await channel.channel_ready()
        yield channel


def own_port() -> str:
    return f"localhost:{free_port()}"


async def refused(asked: Awaitable[object]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asked
    return caught.value


async def shut_out(channel: grpc.aio.Channel, reason: str = "") -> None:
    """Returns when the channel has failed for that reason; it never gets through."""
    async with asyncio.timeout(20):
        while True:
            error = await refused(summary(channel))
            assert error_code_of(error) is ErrorCode.SERVICE_UNAVAILABLE
            # A busy machine may take too long over an attempt, which says nothing.
            if "attempt timed out" not in str(error.details()):
                assert reason in str(error.details())
                return


# ---- certificates ----


@each_kind
async def test_a_caller_with_a_certificate_is_let_in(certificates: Certificates, ask: Asked) -> None:
    server, caller = trust_of(certificates.issued("localhost")), trust_of(certificates.issued("gateway"))
    async with served(own_port(), server) as address, connected(address, caller) as channel:
        request_id.set("req-1")
        assert await ask(channel) == ("" if ask is imported else "req-1")


async def test_a_caller_without_tls_is_not(certificates: Certificates) -> None:
    async with (
        served(own_port(), trust_of(certificates.issued("localhost"))) as address,
        open_channel(address) as channel,
    ):
        await shut_out(channel)


async def test_a_caller_without_a_certificate_is_not(certificates: Certificates) -> None:
    trust = trust_of(certificates.issued("localhost"))
    credentials = grpc.ssl_channel_credentials(trust.identity.pem.authority)  # type: ignore[union-attr]
    async with served(own_port(), trust) as address, grpc.aio.secure_channel(address, credentials) as channel:
        await shut_out(channel)


async def test_a_caller_of_another_authority_is_not(certificates: Certificates, tmp_path: Path) -> None:
    settings = certificates.issued("localhost")
    # It trusts the server; it is only the server that does not trust it.
    caller = Certificates(tmp_path / "others").issued("gateway") | {AUTHORITY: settings[AUTHORITY]}
    async with (
        served(own_port(), trust_of(settings)) as address,
        open_channel(address, trust_of(caller)) as channel,
    ):
        await shut_out(channel)


async def test_a_server_of_another_authority_is_not_called(certificates: Certificates, tmp_path: Path) -> None:
    settings = certificates.issued("gateway")
    # It would let the caller in.
    server = Certificates(tmp_path / "others").issued("localhost") | {AUTHORITY: settings[AUTHORITY]}
    async with (
        served(own_port(), trust_of(server)) as address,
        open_channel(address, trust_of(settings)) as channel,
    ):
        await shut_out(channel, "CERTIFICATE_VERIFY_FAILED")


async def test_a_server_that_is_called_by_a_name_it_does_not_have_is_not_called(certificates: Certificates) -> None:
    server, caller = trust_of(certificates.issued("fs-service")), trust_of(certificates.issued("gateway"))
    async with served(own_port(), server) as address, open_channel(address, caller) as channel:
        await shut_out(channel, "Hostname Verification")


async def test_a_server_without_tls_is_not_called(certificates: Certificates) -> None:
    async with (
        served(own_port(), ANYBODY) as address,
        open_channel(address, trust_of(certificates.issued("gateway"))) as channel,
    ):
        await shut_out(channel)


async def test_a_socket_is_called_without_tls_whatever_is_set(certificates: Certificates, tmp_path: Path) -> None:
    server, caller = trust_of(certificates.issued("fs-service")), trust_of(certificates.issued("gateway"))
    async with served(f"unix:{tmp_path}/s.sock", server) as address:
        for trust in (caller, ANYBODY):
            async with connected(address, trust) as channel:
                await summary(channel)


async def shown_at(address: str, settings: dict[str, str]) -> bytes:
    """The certificate that somebody sees who connects there now."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(settings[AUTHORITY])
    context.load_cert_chain(settings[CERTIFICATE], settings[KEY])
    context.set_alpn_protocols(["h2"])
    host, _, port = address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    try:
        return bytes(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
    finally:
        writer.close()


class Pair:
    """A certificate and its key, as files."""

    def __init__(self, settings: dict[str, str]) -> None:
        self._certificate, self._key = Path(settings[CERTIFICATE]), Path(settings[KEY])

    @property
    def certificate(self) -> bytes:
        return ssl.PEM_cert_to_DER_cert(self._certificate.read_text())

    @property
    def key(self) -> bytes:
        return self._key.read_bytes()

    @key.setter
    def key(self, content: bytes) -> None:
        self._key.write_bytes(content)

    def lose_key(self) -> None:
        self._key.unlink()


async def test_a_renewed_certificate_is_shown_to_whoever_connects_next(certificates: Certificates) -> None:
    settings, caller = certificates.issued("localhost"), certificates.issued("gateway")
    pair = Pair(settings)
    first, first_key = pair.certificate, pair.key
    async with served(own_port(), trust_of(settings)) as address, connected(address, trust_of(caller)) as before:
        assert await shown_at(address, caller) == first
        await summary(before)

        certificates.issued("localhost")
        second, second_key = pair.certificate, pair.key
        pair.key = first_key
        assert await shown_at(address, caller) == first, "half of the pair is written"
        pair.lose_key()
        assert await shown_at(address, caller) == first, "half of the pair is gone"

        pair.key = second_key
        assert first != await shown_at(address, caller) == second
        await summary(before)
        async with connected(address, trust_of(caller)) as after:
            await summary(after)


# ---- the token ----


async def test_over_certificates_the_token_is_asked_for_too(certificates: Certificates) -> None:
    settings = certificates.issued("localhost")
    async with served(own_port(), trust_of(settings, TOKEN)) as address:
        async with connected(address, trust_of(settings)) as channel:
            assert error_code_of(await refused(summary(channel))) is ErrorCode.TOKEN_NEEDED
        async with connected(address, trust_of(settings, TOKEN)) as channel:
            await summary(channel)


@pytest.fixture
async def asking(tmp_path: Path) -> AsyncIterator[str]:
    """A server that asks for the token."""
    async with served(f"unix:{tmp_path}/s.sock", Trust(token=TOKEN)) as address:
        yield address


@each_kind
@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Basic {TOKEN}",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
    ],
    ids=str,
)
async def test_a_call_without_the_token_is_refused_by_name(asking: str, ask: Any, given: str | None) -> None:
    along = grpc.aio.Metadata(*([] if given is None else [("authorization", given)]))
    async with connected(asking) as channel:
        error = await refused(ask(channel, metadata=along))
    assert (error.code(), error_code_of(error)) == (grpc.StatusCode.UNAUTHENTICATED, ErrorCode.TOKEN_NEEDED)
    assert "GRPC_TOKEN" in str(error.details())


@each_kind
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_a_call_with_the_token_is_let_in(asking: str, ask: Any, scheme: str) -> None:
    async with connected(asking, marked=False) as channel:
        along = grpc.aio.Metadata(("authorization", f"{scheme} {TOKEN}"), (REQUEST_ID, "req-2"))
        assert await ask(channel, metadata=along) == "req-2"


@each_kind
@pytest.mark.parametrize("marked", [True, False])
async def test_a_channel_of_our_own_sends_the_token_with_every_kind_of_call(
    asking: str, ask: Any, marked: bool
) -> None:
    async with connected(asking, Trust(token=TOKEN), marked=marked) as channel:
        assert await ask(channel, metadata=grpc.aio.Metadata((REQUEST_ID, "req-3"))) == "req-3"


@pytest.mark.parametrize("ask", [summary, replay])
async def test_a_channel_that_sends_the_token_takes_the_request_id_along_as_before(asking: str, ask: Any) -> None:
    request_id.set("req-4")
    async with connected(asking, Trust(token=TOKEN)) as channel:
        assert await ask(channel) == "req-4"
    async with connected(asking, Trust(token=TOKEN), marked=False) as channel:
        assert await ask(channel) == ""


async def test_health_is_told_without_the_token(asking: str) -> None:
    async with connected(asking) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        question = health_pb2.HealthCheckRequest(service="framewell.fs.v1.FsService")
        assert (await health.Check(question, timeout=5)).status == health_pb2.HealthCheckResponse.SERVING
        watching = health.Watch(question, timeout=5)
        assert (await anext(aiter(watching))).status == health_pb2.HealthCheckResponse.SERVING
        watching.cancel()


async def test_what_is_served_is_told_with_the_token_alone(asking: str) -> None:
    async def listed(trust: Trust) -> set[str]:
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        async with connected(asking, trust) as channel:
            call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(asked, timeout=5)
            answer = await anext(aiter(call))
        return {service.name for service in answer.list_services_response.service}

    assert error_code_of(await refused(listed(ANYBODY))) is ErrorCode.TOKEN_NEEDED
    assert "framewell.fs.v1.FsService" in await listed(Trust(token=TOKEN))


async def test_a_refused_call_is_counted_as_what_it_is(tmp_path: Path) -> None:
    told: list[tuple[str, str, str]] = []

    class Call:
        def __init__(self, method: str, kind: str) -> None:
            self._known = (method.rpartition("/")[2], kind)

        def ended(self, status: str) -> None:
            told.append((*self._known, status))

    around = AroundCalls(lambda method, kind, context: Call(method, kind))
    async with (
        served(f"unix:{tmp_path}/s.sock", Trust(token=TOKEN), around) as address,
        connected(address) as channel,
    ):
        for ask in (summary, replay, imported):
            await refused(ask(channel))
    assert told == [
        ("GetSummary", "unary_unary", "UNAUTHENTICATED"),
        ("Replay", "unary_stream", "UNAUTHENTICATED"),
        ("ImportCollection", "stream_stream", "UNAUTHENTICATED"),
    ]


# ---- settings ----


def test_nothing_is_asked_for_by_default() -> None:
    assert trusted(PublicSettings()) == ANYBODY == Trust(None, "")


def test_what_is_empty_is_not_set() -> None:
    assert trust_of({CERTIFICATE: "", KEY: "", AUTHORITY: ""}) == ANYBODY


def test_what_is_printed_holds_neither_key_nor_token(certificates: Certificates) -> None:
    settings = certificates.issued("localhost")
    told = repr(trust_of(settings, TOKEN))
    assert TOKEN not in told
    assert "PRIVATE KEY" not in told


def sentence(settings: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as error:
        trust_of(settings)
    return str(error.value)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ([CERTIFICATE], f"{KEY} and {AUTHORITY}"),
        ([KEY, AUTHORITY], CERTIFICATE),
        ([CERTIFICATE, KEY], AUTHORITY),
    ],
)
def test_all_three_files_are_needed(certificates: Certificates, given: list[str], missing: str) -> None:
    settings = certificates.issued("localhost")
    told = sentence({name: settings[name] for name in given})
    assert told == f"TLS between the services needs three files; set {missing} too."


@pytest.mark.parametrize("name", [CERTIFICATE, KEY, AUTHORITY])
def test_a_file_that_is_not_there_is_named(certificates: Certificates, name: str) -> None:
    settings = certificates.issued("localhost") | {name: "/nowhere/of-this-name"}
    assert sentence(settings) == f"{name}='/nowhere/of-this-name' cannot be read: No such file or directory."


@pytest.mark.parametrize("content", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nabc\n"])
@pytest.mark.parametrize("name", [CERTIFICATE, KEY, AUTHORITY])
def test_a_file_that_holds_something_else_is_named(certificates: Certificates, name: str, content: str) -> None:
    settings = certificates.issued("localhost")
    Path(settings[name]).write_text(content)
    kind = "private key in PEM, or one with a password" if name == KEY else "certificate in PEM"
    assert re.fullmatch(rf"{name}='.*' (is|holds) no {kind}\.", sentence(settings))


def test_a_key_of_another_certificate_is_named_with_it(certificates: Certificates) -> None:
    settings, others = certificates.issued("localhost"), certificates.issued("gateway")
    told = sentence(settings | {KEY: others[KEY]})
    assert told == f"{KEY}='{others[KEY]}' is not the key of {CERTIFICATE}='{settings[CERTIFICATE]}'."


def test_a_token_that_no_call_could_carry_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPC_TOKEN", "two words")
    with pytest.raises(SettingsError, match=r"^GRPC_TOKEN is not valid: ") as error:
        PublicSettings.load()
    assert "two words" not in str(error.value)
