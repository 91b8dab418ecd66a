"""What is deployed, read from its files: no engine is needed for any of these. The running stack is `compose/`'s."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import env_example
import grimp
import pytest
from as_composed import read
from media_common.config import FILE_SUFFIX, variable_of
from media_common.trust import AUTHORITY, CERTIFICATE, KEY

REPOSITORY = Path(__file__).resolve().parent.parent
STACKS = sorted(REPOSITORY.glob("docker-compose*.yml"))
OURS = ("gateway", "fs-service", "thumbnail-service", "metadata-service", "search-service")
OTHERS = ("nats", "qdrant", "s3", "prometheus", "grafana", "collector")
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """Of all stacks, each as the file says that brings it."""
    found: dict[str, Any] = {}
    for name in ("docker-compose.observability.yml", "docker-compose.yml"):
        found |= read(name)["services"]
    return found


def own_and_others(service: dict[str, Any]) -> dict[str, str]:
    environment = service.get("environment", {})
    return {name: str(value) for name, value in environment.items()}


# ---- .env.example ----


def test_the_example_of_settings_is_what_the_code_says() -> None:
    assert env_example.FILE.read_text(encoding="utf-8") == env_example.text(), "run `make docs`"


@pytest.mark.parametrize("settings", env_example.CLASSES.values(), ids=lambda one: one.__name__)
def test_every_setting_of_a_service_is_in_the_example_once(settings: Any) -> None:
    text = env_example.FILE.read_text(encoding="utf-8")
    for name in settings.model_fields:
        variable = variable_of(settings, name)
        found = re.findall(rf"^#? ?{variable}(?:{FILE_SUFFIX})?(?:=|: )", text, re.MULTILINE)
        assert len(found) == 1, variable


def test_every_variable_that_compose_reads_is_in_the_example_with_its_default() -> None:
    text = env_example.FILE.read_text(encoding="utf-8")
    for stack in STACKS:
        for name, default in re.findall(
            r"\$\{([A-Z0-9_]+)(?::-([^}]*)|:\?[^}]*)?\}", stack.read_text(encoding="utf-8")
        ):
            is_own = stack.name == "docker-compose.gpu.yml" and name == "LIMIT_MEMORY_SEARCH"
            line = rf"^#?{name}=" + ("" if is_own else re.escape(default) + "$")
            assert re.search(line, text, re.MULTILINE), f"{stack.name}: {name}={default}"


def test_everything_in_the_example_has_a_sentence() -> None:
    for before, line in re.findall(r"^(.*)\n(#?[A-Z0-9_]+=.*)$", env_example.FILE.read_text("utf-8"), re.MULTILINE):
        assert re.fullmatch(r"# .{10,}\.", before), line


def test_what_is_said_to_be_fixed_is_fixed_in_the_stack(services: dict[str, Any]) -> None:
    told = {name for service in OURS for name in own_and_others(services[service])}
    assert env_example.FIXED.keys() <= told


# ---- what every container is held to ----


@pytest.mark.parametrize("name", [*OURS, *OTHERS, "ownership"])
def test_every_container_is_held_to_the_same(services: dict[str, Any], name: str) -> None:
    service = services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service["logging"]["options"]["max-size"]
    assert "privileged" not in service
    assert "container_name" not in service, "a container with a name of its own cannot be scaled"


@pytest.mark.parametrize("name", [*OURS, *OTHERS])
def test_no_container_that_stays_runs_as_root_or_is_given_a_capability(services: dict[str, Any], name: str) -> None:
    assert services[name]["user"] == "${PUID:-1000}:${PGID:-1000}"
    assert services[name]["restart"] == "unless-stopped"
    assert "cap_add" not in services[name]


def test_the_one_process_of_root_ends_at_once_and_can_do_one_thing(services: dict[str, Any]) -> None:
    service = services["ownership"]
    assert (service["restart"], service["network_mode"], service["cap_add"]) == ("no", "none", ["CHOWN"])
    assert all(volume.partition(":")[2].startswith("/volumes/") for volume in service["volumes"])


@pytest.mark.parametrize("name", [*OURS, "nats", "qdrant", "s3", "prometheus", "grafana"])
def test_every_container_says_whether_it_is_well(services: dict[str, Any], name: str) -> None:
    assert services[name]["healthcheck"]["test"][0] == "CMD"


def test_no_container_that_stays_has_a_check_that_is_off(services: dict[str, Any]) -> None:
    """`docker compose up --wait` fails on it, with everything running."""
    off = {name for name, service in services.items() if service.get("healthcheck", {}).get("disable")}
    assert off == {"ownership"}


@pytest.mark.parametrize("name", OURS)
def test_a_service_is_asked_on_the_port_it_listens_on(services: dict[str, Any], name: str) -> None:
    asked = services[name]["healthcheck"]["test"][-1]
    listens = [value for key, value in own_and_others(services[name]).items() if key.endswith(("_LISTEN", "_PORT"))]
    assert asked.split("://")[1].partition("/")[0].rpartition(":")[2] == listens[0].rpartition(":")[2]


def test_only_the_gateway_is_published_and_only_to_this_machine() -> None:
    stack = read("docker-compose.yml")["services"]
    assert {name for name, service in stack.items() if service.get("ports")} == {"gateway"}
    assert stack["gateway"]["ports"] == ["${FRAMEWELL_HOST:-127.0.0.1}:${FRAMEWELL_PORT:-8080}:8080"]
    for other in ("docker-compose.lite.yml", "docker-compose.gpu.yml"):
        assert not [name for name, service in read(other)["services"].items() if (service or {}).get("ports")]


def test_stores_and_messages_are_on_networks_that_lead_nowhere(services: dict[str, Any]) -> None:
    networks = read("docker-compose.yml")["networks"]
    internal = {name for name, network in networks.items() if network.get("internal")}
    assert internal == {"inside", "stores", "work"}
    for name in ("nats", "qdrant", "s3", "fs-service", "metadata-service", "thumbnail-service"):
        assert set(services[name]["networks"]) <= internal, name


@pytest.mark.parametrize("others", [(), ("docker-compose.lite.yml",)], ids=["full", "lite"])
def test_who_decodes_strangers_files_reaches_no_service(others: tuple[str, ...]) -> None:
    """A worker that a file has taken over could ask them for anything: nothing but the network is between."""
    met: dict[str, set[str]] = {}
    for stack in ("docker-compose.yml", *others):
        for name, service in read(stack)["services"].items():
            for network in (service or {}).get("networks", ()):
                met.setdefault(network, set()).add(name)
    near = set().union(*(names for names in met.values() if "thumbnail-service" in names))
    assert near == {"thumbnail-service", "nats", "s3"}


def test_what_is_told_outside_is_told_by_the_collector_alone(services: dict[str, Any]) -> None:
    """The services themselves lead nowhere, so a store of traces outside is reached by it."""
    assert set(services["collector"]["networks"]) == {"inside", "work", "outward"}
    assert set(services["prometheus"]["networks"]) == {"inside", "work"}
    watched = read("docker-compose.observability.yml")["services"]
    assert all("networks" not in watched[name] for name in OURS)


def test_what_somebody_waits_for_is_there_before_it_is_needed(services: dict[str, Any]) -> None:
    for name in OURS:
        for needed, how in services[name]["depends_on"].items():
            expected = "service_completed_successfully" if needed == "ownership" else "service_healthy"
            assert how["condition"] == expected, f"{name} on {needed}"
    assert "nats" not in services["fs-service"]["depends_on"], "review works without it"


# ---- media, volumes, secrets ----


def test_media_are_at_the_same_path_inside_and_search_cannot_write_them(services: dict[str, Any]) -> None:
    mounts = {}
    for name in OURS:
        for volume in services[name]["volumes"]:
            if isinstance(volume, dict):
                assert volume["source"] == volume["target"]
                assert volume["bind"]["create_host_path"] is False
                mounts[name] = volume["read_only"]
    assert mounts == {
        "fs-service": "${MEDIA_READ_ONLY:-false}",
        "thumbnail-service": "${MEDIA_READ_ONLY:-false}",
        "search-service": True,
    }


def test_who_decodes_files_does_not_see_keys_and_catalogue(services: dict[str, Any]) -> None:
    for name in ("thumbnail-service", "search-service"):
        assert not [volume for volume in services[name]["volumes"] if str(volume).startswith("state:")]
        assert "admin-key" not in services[name]["secrets"]


@pytest.mark.parametrize("name", OURS)
def test_a_secret_comes_as_a_file_that_the_container_has(services: dict[str, Any], name: str) -> None:
    given = {f"/run/secrets/{secret}" for secret in services[name]["secrets"]}
    environment = own_and_others(services[name])
    files = {value for variable, value in environment.items() if variable.endswith(FILE_SUFFIX)}
    assert files == given
    hidden = {variable for variable, _ in env_example.secrets()}
    assert not hidden & environment.keys()


def test_the_lite_stack_needs_no_secret_that_it_does_not_have() -> None:
    lite = read("docker-compose.lite.yml")
    gone = {name for name, secret in lite["secrets"].items() if secret is None}
    base = read("docker-compose.yml")
    for name in OURS:
        service = base["services"][name] | (lite["services"].get(name) or {})
        assert not gone & set(service["secrets"]), name
        environment = own_and_others(base["services"][name]) | own_and_others(lite["services"].get(name) or {})
        left = {value.rpartition("/")[2] for key, value in environment.items() if key.endswith(FILE_SUFFIX)} - {""}
        assert left <= set(service["secrets"]), name


def test_each_service_has_a_certificate_of_its_own_and_none_can_make_more() -> None:
    mtls = read("docker-compose.mtls.yml")
    assert mtls["services"].keys() == set(OURS)
    for name, service in mtls["services"].items():
        files = {AUTHORITY: "ca.crt", CERTIFICATE: f"{name}.crt", KEY: f"{name}.key"}
        assert service["environment"] == {variable: f"/run/secrets/{file}" for variable, file in files.items()}
        assert set(service["secrets"]) == set(files.values())
    assert mtls["secrets"].keys() == {secret for service in mtls["services"].values() for secret in service["secrets"]}
    assert "ca.key" not in mtls["secrets"]


def test_the_token_is_told_to_every_service() -> None:
    token = read("docker-compose.token.yml")
    expected = {"environment": {"GRPC_TOKEN_FILE": "/run/secrets/grpc-token"}, "secrets": ["grpc-token"]}
    assert token["services"] == dict.fromkeys(OURS, expected)
    assert token["secrets"].keys() == {"grpc-token"}


def test_every_secret_is_made_and_none_twice(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    script = REPOSITORY / "deploy" / "secrets.sh"

    def run() -> str:
        environment = {"PATH": "/usr/bin:/bin", "PUID": str(_uid()), "PGID": str(_gid())}
        ran = subprocess.run(["sh", script, folder], env=environment, capture_output=True, text=True, check=True)
        return ran.stdout

    assert "made" in run()
    first = {file.name: file.read_text() for file in folder.iterdir()}
    assert run() == ""
    assert {file.name: file.read_text() for file in folder.iterdir()} == first

    named = {
        Path(secret["file"].partition("}")[2].lstrip("/")).name
        for stack in ("docker-compose.yml", "docker-compose.observability.yml", "docker-compose.token.yml")
        for secret in read(stack)["secrets"].values()
    }
    assert named == first.keys()
    assert all(file.stat().st_mode & 0o077 == 0 for file in folder.iterdir())
    token = re.fullmatch(r"nats://([0-9a-f]{48})@nats:4222\n", first["nats-url"])
    assert token
    assert token[1] in first["nats-auth.conf"]
    assert first["qdrant-api-key"].strip() in first["qdrant.yaml"]


def _uid() -> int:
    return Path("/proc/self").stat().st_uid


def _gid() -> int:
    return Path("/proc/self").stat().st_gid


def test_a_card_is_asked_for_in_its_own_file_alone() -> None:
    for stack in STACKS:
        asks = "reservations" in stack.read_text(encoding="utf-8")
        assert asks == (stack.name == "docker-compose.gpu.yml"), stack.name


# ---- images ----


def test_the_images_are_built_by_engines_without_a_frontend_of_their_own() -> None:
    for refused in (
        r"^# *syntax=",
        r"<<-?['\"]?EO",
        r"COPY.*--link",
        r"ADD.*--checksum",
        r"--start-interval",
        r"@sha256",
    ):
        assert not re.search(refused, DOCKERFILE, re.MULTILINE), refused
    for stack in STACKS:
        assert not re.search(r"additional_contexts|start_interval", stack.read_text(encoding="utf-8")), stack.name


@pytest.mark.parametrize("name", OURS)
def test_an_image_has_one_layer_of_its_own_and_the_one_of_all(name: str) -> None:
    stage = DOCKERFILE.partition(f"FROM common AS {name}\n")[2].partition("\nFROM ")[0]
    assert stage, "its target is missing"
    assert "USER 1000:1000" in stage
    assert "HEALTHCHECK" in stage
    assert '"media_common.healthcheck"' in stage
    assert f"framewell_{name.replace('-', '_')}-*.whl" in stage
    assert "org.opencontainers.image.title" in stage
    assert "--mount=type=cache" in stage


def test_no_compiler_and_no_secret_gets_into_an_image() -> None:
    assert not re.search(r"apt-get|build-essential|gcc", DOCKERFILE)
    ignored = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    assert not [line for line in ignored if line.startswith("!") and re.search(r"secret|\.env|\.git|tests", line)]


def test_what_an_image_needs_from_elsewhere_is_what_its_packages_say() -> None:
    program = [sys.executable, REPOSITORY / "deploy" / "dependencies.py", "proto", "common", "search-service[ml]"]
    told = subprocess.run(program, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.splitlines()
    assert not [line for line in told if line.startswith("framewell-")]
    for wanted in ("grpcio", "pydantic-settings", "qdrant-client", "torch"):
        assert any(line.startswith(wanted) for line in told), wanted
    assert told == sorted(set(told))


#: Folder, package, extras that its image installs.
INSTALLED = {
    "gateway": ("gateway", ""),
    "fs_service": ("fs-service", ""),
    "thumbnail_service": ("thumbnail-service", ""),
    "metadata_service": ("metadata-service", ""),
    "search_service": ("search-service", "[ml]"),
}


@pytest.mark.parametrize("package", INSTALLED)
def test_an_image_has_everything_that_its_service_imports(package: str) -> None:
    folder, extra = INSTALLED[package]
    program = [sys.executable, REPOSITORY / "deploy" / "dependencies.py", "proto", "common[traces]", folder + extra]
    told = subprocess.run(program, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.splitlines()
    graph = grimp.build_graph(package, "media_common", "media_proto", include_external_packages=True, cache_dir=None)
    for module in sorted(graph.modules):
        if module.endswith(".testing"):  # nothing but tests imports it
            graph.remove_module(module)
    imported = {one for one in graph.find_upstream_modules(package, as_package=True) if graph.is_module_squashed(one)}
    distributions = metadata.packages_distributions()
    wanted = {name: distributions[name] for name in imported - sys.stdlib_module_names}
    installed = _with_what_they_need({re.split(r"[<>=\[ ]", line)[0] for line in told})
    missing = {name: given for name, given in wanted.items() if not installed & {_normal(one) for one in given}}
    assert missing == {}


def _with_what_they_need(names: set[str]) -> set[str]:
    """All that comes along, as it is installed here."""
    found: set[str] = set()
    left = {_normal(name) for name in names}
    while left:
        name = left.pop()
        found.add(name)
        try:
            needed = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # for another system
            continue
        left |= {_normal(re.split(r"[<>=!~;\[ (]", one)[0]) for one in needed if "extra ==" not in one} - found
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# ---- figures ----

_MADE = re.compile(r'\b(Counter|Gauge|Histogram)(?:MetricFamily)?\(\s*"((?:framewell|grpc_server)_[a-z_]+)"')
SCRAPED = {"fs-service": "fs", "metadata-service": "metadata", "search-service": "search"}


def figures() -> dict[str, str]:
    """Kind by name, as Prometheus shows it, of all that the code tells."""
    found = {}
    sources = [*REPOSITORY.glob("*-service/src/*/figures.py"), REPOSITORY / "common/src/media_common/figures.py"]
    for source in [*sources, REPOSITORY / "gateway/src/gateway/metrics.py"]:
        for kind, name in _MADE.findall(source.read_text(encoding="utf-8")):
            found[name + ("_total" if kind == "Counter" else "")] = kind.lower()
    return found


def test_the_table_of_figures_is_what_the_code_tells() -> None:
    text = (REPOSITORY / "docs/observability.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_]+)` \| (counter|gauge|histogram) \|", text, re.MULTILINE)
    assert len(rows) == len(dict(rows)), "none is there twice"
    assert dict(rows) == figures()


def test_rules_and_dashboard_speak_of_figures_that_there_are() -> None:
    known = {"up", "process_resident_memory_bytes"}
    for name, kind in figures().items():
        known |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"} if kind == "histogram" else {name}
    rules = read("deploy/prometheus/rules.yml")["groups"][0]["rules"]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    board = json.loads((REPOSITORY / "deploy/grafana/dashboards/framewell.json").read_text(encoding="utf-8"))
    asked = [rule["expr"] for rule in rules] + [one["expr"] for panel in board["panels"] for one in panel["targets"]]
    for expression in asked:
        for name in re.findall(r"\b(?:framewell|process|grpc_server)[a-z0-9_:]+", expression):
            assert name in known | recorded, expression


def test_the_panels_of_the_dashboard_cover_each_other_nowhere() -> None:
    board = json.loads((REPOSITORY / "deploy/grafana/dashboards/framewell.json").read_text(encoding="utf-8"))
    taken = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in board["panels"]
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(taken) == len(set(taken))
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_prometheus_asks_every_service_where_it_listens() -> None:
    jobs = {job["job_name"]: job for job in read("deploy/prometheus/prometheus.yml")["scrape_configs"]}
    told = read("docker-compose.observability.yml")["services"]
    for service, name in SCRAPED.items():
        port = told[service]["environment"]["METRICS_LISTEN"].removeprefix("0.0.0.0:")
        assert jobs[name]["static_configs"] == [{"targets": [f"{service}:{port}"]}]
    # Each of several workers, by the addresses of their one name.
    [found] = jobs["thumbnail"]["dns_sd_configs"]
    assert found["names"] == ["thumbnail-service"]
    assert told["thumbnail-service"]["environment"]["METRICS_LISTEN"] == f"0.0.0.0:{found['port']}"


@pytest.mark.parametrize("name", OURS)
def test_with_a_collector_every_service_is_told_where_it_is(name: str) -> None:
    stack = read("docker-compose.observability.yml")
    endpoint = stack["services"][name]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"]
    port = read("deploy/otel/collector.yml")["receivers"]["otlp"]["protocols"]["http"]["endpoint"].rpartition(":")[2]
    assert endpoint == f"${{OTEL_EXPORTER_OTLP_ENDPOINT:-http://collector:{port}}}"
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in read("docker-compose.yml")["services"][name]["environment"]


def test_an_image_holds_what_traces_need() -> None:
    assert "dependencies.py proto 'common[traces]'" in DOCKERFILE
    told = subprocess.run(
        [sys.executable, REPOSITORY / "deploy" / "dependencies.py", "common[traces]"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "opentelemetry-sdk>=" in told
    assert "opentelemetry-exporter-otlp-proto-http>=" in told
