"""docker-compose.yml and the Dockerfile are true, as far as that shows without running them."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import yaml

from ticketing import __main__
from ticketing.ground.config import PREFIX, Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_all_that_is_needed_is_a_service() -> None:
    assert set(COMPOSE["services"]) == {"postgres", "valkey", "migrate", "api", "worker"}
    assert set(OURS) == {"migrate", "api", "worker"}


@pytest.mark.parametrize("name", OURS)
def test_a_service_s_settings_are_settings_and_can_be_read(name: str) -> None:
    environment = OURS[name]["environment"]
    assert set(environment) <= {PREFIX + field.name.upper() for field in fields(Settings)}
    given = {
        name: re.sub(r"\$\{\w+:(?:-([^}]*)|[^}]*)\}", lambda m: "given" if m[1] is None else m[1], str(text))
        for name, text in environment.items()
    }
    settings = Settings.from_environ(given)
    # Behind the bridge of Docker, anybody may seem to come from a private network.
    assert not settings.operators.include("172.17.0.1")
    assert settings.operators.include("127.0.0.1")
    for url in (settings.database_url, settings.redis_url):
        host = re.search(r"@?(\w+)(?::\d+)?/\w*$", url)
        assert host
        assert host[1] in COMPOSE["services"]


def test_what_the_database_is_made_with_is_what_the_service_signs_in_with() -> None:
    made = COMPOSE["services"]["postgres"]["environment"]
    url = OURS["api"]["environment"]["TICKETING_DATABASE_URL"]
    assert url == (f"postgresql://{made['POSTGRES_USER']}:{made['POSTGRES_PASSWORD']}@postgres/{made['POSTGRES_DB']}")


@pytest.mark.parametrize("command", [*(service["command"] for service in OURS.values()), "image"])
def test_a_service_s_command_is_one_of_ours(command: Any) -> None:
    if command == "image":
        command = yaml.safe_load(instructions("CMD")[-1])
    assert yaml.safe_load(instructions("ENTRYPOINT")[-1]) == ["ticketing"]
    function, _, unused, _ = __main__.app.parse_known_args(command)
    assert function is not __main__.app.help_print
    assert unused == []


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_service_waits_only_for_what_can_be_waited_for(name: str) -> None:
    for other, dependency in COMPOSE["services"][name].get("depends_on", {}).items():
        awaited = COMPOSE["services"][other]
        if dependency["condition"] == "service_healthy":
            assert "healthcheck" in awaited
        else:
            assert awaited["restart"] != "unless-stopped", f"{other} never completes"


def test_the_published_port_is_the_one_served_and_asked() -> None:
    api = OURS["api"]
    port = api["command"][api["command"].index("--port") + 1]
    assert api["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"127.0.0.1:{port}/health/ready" in api["healthcheck"]["test"][-1]
    assert instructions("EXPOSE") == [port]


def test_the_worker_is_asked_where_it_answers_and_gets_time_to_stop() -> None:
    worker = OURS["worker"]
    port = worker["command"][worker["command"].index("--port") + 1]
    assert f"127.0.0.1:{port}/health/ready" in worker["healthcheck"]["test"][-1]
    assert "ports" not in worker
    assert int(worker["stop_grace_period"].removesuffix("s")) > 2 * Settings(database_url="").job_stop_seconds
    assert "noeviction" in COMPOSE["services"]["valkey"]["command"]


def test_the_image_copies_what_is_there_and_what_the_wheel_is_made_of() -> None:
    copied = [word for line in instructions("COPY") if not line.startswith("--from") for word in line.split()[:-1]]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    included = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    wheel = {"src" if path.startswith("src/") else path for path in included}
    described = {"pyproject.toml", PYPROJECT["project"]["readme"], *PYPROJECT["project"]["license-files"]}
    assert wheel | described | {"hatch_build.py", "scripts/portal.py", "scripts/node.py"} <= set(copied)


def test_the_image_s_context_holds_what_is_copied() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {word for line in instructions("COPY") if not line.startswith("--from") for word in line.split()[:-1]}
    assert copied == allowed


def test_the_image_installs_only_what_is_locked() -> None:
    for line in instructions("RUN"):
        for install in re.findall(r"pip install ([^&]+)", line):
            assert "--require-hashes" in install or "--no-deps" in install


def test_the_image_does_not_run_as_root() -> None:
    last_stage = list(takewhile(lambda line: not line.startswith("FROM"), reversed(DOCKERFILE.splitlines())))
    assert any(line.startswith("USER ") for line in last_stage)


def test_the_image_s_python_is_one_we_support() -> None:
    versions = set(re.findall(r"^FROM python:(3\.\d+)-slim", DOCKERFILE, re.MULTILINE))
    assert len(versions) == 1
    assert f"Programming Language :: Python :: {versions.pop()}" in PYPROJECT["project"]["classifiers"]


def instructions(name: str) -> list[str]:
    """What follows an instruction, wherever it stands."""
    return [line.removeprefix(f"{name} ") for line in DOCKERFILE.splitlines() if line.startswith(f"{name} ")]
