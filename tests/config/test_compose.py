"""No container engine runs in these checks, so every word of the container files is held against the code."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands, load_command_class
from django.urls import resolve

from config import processes
from config.health import ready

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service.get("image") == "quern"}
# boto3 reads these by itself.
STORE_KEYS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"}
# Everything else of the environment is read in these two files alone, by name.
READ = STORE_KEYS | set(
    re.findall(
        r"""(?:environ(?:\.get)?[\[(]|env\.\w+\()\s*["'](\w+)["']""",
        (ROOT / "config/settings.py").read_text() + (ROOT / "config/environment.py").read_text(),
    )
)


def dockerfile(instruction: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return re.findall(rf"^\s*{instruction}\s+(.*)$", joined, re.MULTILINE)


def image_environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for line in dockerfile("ENV") for pair in shlex.split(line))


def manage_command(command: list[str]) -> dict[str, Any]:
    """What the management command makes of its arguments; fails when there is no such command or argument."""
    assert command[:2] == ["python", "manage.py"]
    name = command[2]
    parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
    return vars(parser.parse_args(command[3:]))


def default_of(value: str) -> str:
    """A compose value with its ${NAME:-default} filled in."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


@pytest.mark.parametrize("name", OURS)
def test_each_command_is_one_that_manage_py_knows(name: str) -> None:
    manage_command(OURS[name]["command"])


def test_the_database_takes_the_connections_of_as_many_web_processes_as_it_says() -> None:
    assert SERVICES["postgres"]["command"] == [
        "postgres",
        "-c",
        f"max_connections={processes.database_connections(10)}",
    ]


def test_there_is_one_service_for_each_process_and_it_serves_that_process() -> None:
    served = {
        name: manage_command(s["command"]).get("process") for name, s in OURS.items() if name != "migrate"
    }
    assert served == {name: name for name in ("web", *processes.BACKGROUND)}
    assert OURS["migrate"]["command"][2] == "migrate"


def test_every_variable_given_is_read_by_the_settings() -> None:
    for name, service in OURS.items():
        assert set(service["environment"]) <= READ, name
    quern = {variable for variable in image_environment() if not variable.startswith(("PYTHON", "PIP"))}
    assert quern == {"QUERN_DATA_DIR"}
    assert quern <= READ


def test_every_part_outside_the_containers_is_named() -> None:
    for service in OURS.values():
        assert {"QUERN_SECRET_KEY", "DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"} <= set(
            service["environment"]
        )


def test_secrets_have_no_default_and_say_what_is_missing() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for secret in ("QUERN_SECRET_KEY", "POSTGRES_PASSWORD", "QUERN_ALLOWED_HOSTS"):
        uses = re.findall(rf"\$\{{{secret}([^}}]*)\}}", text)
        assert uses
        assert all(use.startswith(f":?Set {secret} to ") and use.endswith(".") for use in uses)


def found(pattern: str, text: str) -> tuple[str, ...]:
    match = re.search(pattern, text)
    assert match, f"{pattern} is not in {text}"
    return match.groups()


def test_the_addresses_name_services_of_the_file_with_their_ports() -> None:
    ports = {"postgres": "5432", "redis": "6379"}
    environment = OURS["web"]["environment"]
    for variable in ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"):
        host, port = found(r"(?:@|//)(\w+):(\d+)/\w+$", environment[variable])
        assert host in SERVICES
        assert ports[host] == port
    user, database = found(r"^postgresql://(\w+):.*/(\w+)$", environment["DATABASE_URL"])
    given = SERVICES["postgres"]["environment"]
    assert (user, database) == (given["POSTGRES_USER"], given["POSTGRES_DB"])


def test_the_published_port_is_the_one_the_web_server_listens_on_everywhere() -> None:
    options = manage_command(OURS["web"]["command"])
    assert options["host"] == "0.0.0.0"
    [published] = OURS["web"]["ports"]
    assert default_of(published).split(":")[1] == str(options["port"])
    assert dockerfile("EXPOSE") == [str(options["port"])]
    [default_command] = dockerfile("CMD")[-1:]
    assert json.loads(default_command) == OURS["web"]["command"]


def test_the_health_check_asks_the_ready_page_of_that_port() -> None:
    [check] = dockerfile("HEALTHCHECK")
    host, port, path = found(r"http://([\d.]+):(\d+)(/[\w/]+)", check)
    assert (host, [port]) == ("127.0.0.1", dockerfile("EXPOSE"))
    assert resolve(path).func is ready
    for name, service in OURS.items():
        assert (name == "web") != ("healthcheck" in service)


def test_the_shared_volume_is_where_the_storage_setting_points() -> None:
    data = image_environment()["QUERN_DATA_DIR"]
    for service in OURS.values():
        storage = default_of(service["environment"]["QUERN_STORAGE"])
        assert storage == f"{data}/storage"
        assert service["volumes"] == [f"storage:{storage}"]
    # The unprivileged user must own it before the volume first takes its owner from the image.
    assert f"-d -o quern -g quern {data} {data}/storage" in DOCKERFILE


def test_every_volume_is_declared_and_used() -> None:
    used = {v.split(":")[0] for service in SERVICES.values() for v in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


def test_everything_waited_for_is_a_service_that_can_become_ready() -> None:
    for service in SERVICES.values():
        for name, wanted in service.get("depends_on", {}).items():
            if wanted["condition"] == "service_healthy":
                assert "test" in SERVICES[name]["healthcheck"]
            else:
                assert wanted["condition"] == "service_completed_successfully"
                assert SERVICES[name]["restart"] == "no"


def test_the_image_holds_every_part_of_the_code_and_runs_unprivileged() -> None:
    copied = {source for line in dockerfile("COPY") for source in line.split()[:-1]}
    assert all((ROOT / source).exists() for source in copied)
    assert {
        "manage.py",
        "requirements.txt",
        "config",
        "labelling",
        "learning",
        "serving",
        "templates",
    } <= copied
    assert dockerfile("USER") == ["quern"]
    ignored = set((ROOT / ".dockerignore").read_text().split())
    assert not copied & ignored
    python = dockerfile("FROM")[0].removeprefix("python:").removesuffix("-slim")
    assert f'requires-python = ">={python}"' in (ROOT / "pyproject.toml").read_text()
