"""Who may open which door. A route that is not in the table fails the test: say who may use it."""

import os
import secrets
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from config.keyed import PATHS
from serving.models import Scope
from serving.services.keys import key_create
from tests import factories
from tests.labelling.addressed import arguments
from tests.serving import trained

pytestmark = pytest.mark.django_db

METHODS = ("get", "post", "patch", "put", "delete")
CHANGES = ("patch", "put", "delete")
ROLES = ("annotator", "reviewer", "manager")
PEOPLE = ("anonymous", "stranger", *ROLES)
# Per route, what may be sent and the least role that may send it.
PAGES = {
    "labelling:project": {"get": "annotator"},
    "labelling:panel": {"get": "annotator"},
    "labelling:label": {"get": "annotator"},
    "labelling:item-image": {"get": "annotator"},
    "labelling:export": {"get": "reviewer"},
    "labelling:imports": {"get": "manager", "post": "manager"},
    "labelling:import": {"get": "manager", "post": "manager"},
    "labelling:members": {"get": "manager", "post": "manager"},
    "labelling:project-settings": {"get": "manager", "post": "manager"},
    "labelling:questions": {"get": "manager", "post": "manager"},
    "labelling:api-labels": {"post": "manager"},
    "labelling:api-import": {"get": "manager"},
    "labelling:api-next": {"post": "annotator"},
    "labelling:api-annotations": {"post": "annotator"},
    "labelling:api-undo": {"post": "annotator"},
    "learning:panel": {"get": "annotator", "post": "manager"},
    "learning:curve": {"get": "annotator"},
    "learning:learner": {"get": "manager", "post": "manager"},
    "learning:pretraining": {"get": "manager", "post": "manager"},
    "learning:api-learner": {"get": "manager", "patch": "manager"},
    "learning:api-training": {"get": "manager", "delete": "manager"},
    "learning:api-pretraining": {"get": "manager", "post": "manager", "delete": "manager"},
    "learning:augmentation": {"get": "manager", "post": "manager"},
    "learning:policy-search": {"get": "manager", "post": "manager"},
    "learning:policy-rewards": {"get": "manager"},
    "learning:policies": {"post": "manager"},
    "learning:policy": {"get": "manager", "post": "manager"},
    "learning:policy-examples": {"get": "manager"},
    "learning:trial-examples": {"get": "manager"},
    "learning:api-augmentation": {
        "get": "manager",
        "post": "manager",
        "patch": "manager",
        "delete": "manager",
    },
    "learning:api-policies": {"get": "manager", "post": "manager"},
    "learning:api-policy": {"get": "manager", "delete": "manager"},
    "learning:rules": {"get": "manager", "post": "manager"},
    "learning:rule-new": {"get": "manager", "post": "manager"},
    "learning:rule": {"get": "manager", "post": "manager"},
    "learning:rule-preview": {"post": "manager"},
    "learning:rule-check": {"get": "manager"},
    "learning:api-rules": {"get": "manager", "post": "manager"},
    "learning:api-rule": {"get": "manager", "patch": "manager", "delete": "manager"},
    "learning:api-precision": {"get": "annotator"},
    "learning:models": {"get": "annotator"},
    "learning:model": {"get": "annotator"},
    "learning:model-artifact": {"get": "reviewer"},
    "learning:model-judged": {"get": "reviewer"},
    "serving:panel": {"get": "annotator"},
    "serving:deployment": {"get": "reviewer"},
    "serving:promote": {"post": "manager"},
    "serving:automatic": {"post": "manager"},
    "serving:traffic": {"post": "manager"},
    "serving:rollouts": {"get": "reviewer"},
    "serving:rollout-new": {"get": "manager", "post": "manager"},
    "serving:rollout": {"get": "reviewer"},
    "serving:rollout-part": {"get": "reviewer"},
    "serving:rollout-act": {"post": "manager"},
    "serving:rollout-audit": {"post": "manager"},
    "serving:api-deployment": {"get": "reviewer", "patch": "manager"},
    "serving:api-promote": {"post": "manager"},
    "serving:api-automatic": {"post": "manager"},
    "serving:api-rollouts": {"get": "reviewer", "post": "manager"},
    "serving:api-rollout": {"get": "reviewer", "patch": "manager"},
    "serving:api-rollout-points": {"get": "reviewer"},
    "serving:api-rollout-act": {"post": "manager"},
    "serving:keys": {"get": "manager", "post": "manager"},
    "serving:key-revoke": {"post": "manager"},
}
# No session opens these: a key of the project does.
BY_KEY = {"serving:predict", "serving:feedback"} | {
    f"serving:v2-{what}{of}" for what in ("model", "ready", "infer") for of in ("", "-of")
}
SIGNED_IN = {"labelling:projects", "labelling:project-new", "labelling:question-new"}
OPEN = {"login", "logout", "schema", "api-docs"} | {
    "health-live",
    "health-ready",
    "v2-server",
    "v2-live",
    "v2-ready",
    "metrics",  # tests/serving/test_metrics.py says to whom
}


def routes(resolver: URLResolver, space: str = "") -> Iterator[tuple[str, URLPattern]]:
    for one in resolver.url_patterns:
        if isinstance(one, URLResolver):
            if one.namespace != "admin":  # Django's own
                yield from routes(one, f"{one.namespace}:" if one.namespace else space)
        else:
            yield f"{space}{one.name}", one


ROUTES = dict(routes(get_resolver()))


def test_the_table_knows_every_route_and_no_other() -> None:
    assert set(ROUTES) == PAGES.keys() | BY_KEY | SIGNED_IN | OPEN


def test_the_table_knows_every_method_and_no_other() -> None:
    for name, known in PAGES.items():
        view = vars(ROUTES[name].callback)["view_class"]
        assert {one for one in METHODS if hasattr(view, one)} == known.keys(), name


@dataclass
class Door:
    """A route's address in a project, and each kind of person before it."""

    name: str
    address: str
    clients: dict[str, Client]

    def knock(self, person: str, method: str) -> int:
        ask = getattr(self.clients[person], method)
        # A form's and a JSON's emptiness differ: what changes something by API is sent JSON.
        response = ask(self.address, "{}", "application/json") if method in CHANGES else ask(self.address, {})
        if response.status_code == 415:  # and some routes read nothing else
            response = ask(self.address, "{}", "application/json")
        return int(response.status_code)


@pytest.fixture
def door(request: pytest.FixtureRequest) -> Door:
    project = trained.project()
    clients = {person: Client(raise_request_exception=False) for person in PEOPLE}
    clients["stranger"].force_login(factories.member(factories.project(), "manager"))
    for role in ROLES:
        clients[role].force_login(factories.member(project, role))
    name: str = request.param
    # A page about one model reads much of it; the others need only know that there is one.
    version = trained.version(project) if "learning:model" in name else trained.bare_version(project)
    known = arguments(project) | {"number": version.number}
    return Door(name, reverse(name, args=[known[key] for key in ROUTES[name].pattern.converters]), clients)


def test_every_route_by_key_needs_a_scope() -> None:
    for name in BY_KEY:
        assert vars(ROUTES[name].callback)["view_class"].scope in Scope, name


def test_what_pages_need_is_left_out_for_routes_by_key_alone() -> None:
    known = {"slug": "birds", "prediction_id": uuid.UUID(int=1), "version": "1"}
    for name, route in ROUTES.items():
        if name in BY_KEY:
            assert PATHS.fullmatch(reverse(name, args=[known[key] for key in route.pattern.converters]))
        else:
            pattern = str(route.pattern).lstrip("^").replace("<slug:slug>", "birds").replace("<int:pk>", "1")
            assert not PATHS.fullmatch(f"/{pattern}"), name


@pytest.mark.parametrize("door", PAGES, indirect=True)
def test_a_projects_route_opens_for_its_roles_and_for_nobody_else(door: Door) -> None:
    api = door.address.startswith("/api/")
    for method in METHODS:
        least = PAGES[door.name].get(method)
        for person in PEOPLE:
            status = door.knock(person, method)
            case = f"{person} {method} {door.address}: {status}"
            assert status < 500, case
            if person == "anonymous":
                assert status in ({401, 403} if api else {302}), case
            elif least is None:
                assert status == 405 or (api and status == 403), case
            elif person == "stranger":
                assert status == 404, case
            elif ROLES.index(person) < ROLES.index(least):
                assert status == 403, case
            elif door.name != "labelling:api-undo":  # there is nothing to undo: 400 or 404
                assert status not in (401, 403, 404, 405), case


@pytest.mark.parametrize("door", sorted(BY_KEY), indirect=True)
def test_a_clients_route_opens_by_a_key_of_its_own_project_only(door: Door) -> None:
    for person in PEOPLE:
        assert door.knock(person, "post") in (401, 403), person
    _, other = key_create(project=factories.project(), name="other", user=None)
    response = Client(headers={"Authorization": f"Bearer {other}"}).post(door.address, {})
    assert response.status_code == 404


@pytest.mark.parametrize(
    "door", [name for name, methods in PAGES.items() if "post" in methods] + ["logout"], indirect=True
)
def test_nothing_is_posted_without_the_forms_token(door: Door) -> None:
    manager = Client(enforce_csrf_checks=True)
    manager.cookies = door.clients["manager"].cookies
    assert manager.post(door.address, {}).status_code == 403


def test_ten_wrong_passwords_close_the_door_for_that_name_and_say_for_how_long(client: Client) -> None:
    user = factories.user(password="the right one")
    for _ in range(9):
        assert client.post("/login/", {"username": user.username, "password": "wrong"}).status_code == 200
    locked = client.post("/login/", {"username": user.username, "password": "wrong"})
    assert locked.status_code == 429
    words = " ".join(locked.content.decode().split())
    assert "After 10 wrong passwords, this door is closed for 15 minutes." in words
    right = client.post("/login/", {"username": user.username, "password": "the right one"})
    assert right.status_code == 429

    other = factories.user(password="the right one")
    assert (
        client.post("/login/", {"username": other.username, "password": "the right one"}).status_code == 302
    )


def test_pages_carry_the_headers_that_keep_foreign_scripts_and_frames_out(client: Client) -> None:
    response = client.get("/login/")
    policy = {words[0]: words[1:] for words in map(str.split, response["Content-Security-Policy"].split(";"))}
    assert policy["script-src"] == ["'self'"]
    assert policy["default-src"] == ["'self'"]
    assert policy["object-src"] == policy["frame-ancestors"] == ["'none'"]
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"


def test_the_sessions_cookie_is_out_of_reach_of_scripts_and_of_other_sites(client: Client) -> None:
    user = factories.user(password="the right one")
    client.post("/login/", {"username": user.username, "password": "the right one"})
    assert client.cookies["sessionid"]["httponly"]
    assert {client.cookies[name]["samesite"] for name in ("sessionid", "csrftoken")} == {"Lax"}


def test_a_deployment_over_https_passes_djangos_own_check_without_a_warning() -> None:
    environment = {
        **os.environ,
        "QUERN_HTTPS": "true",
        "QUERN_EMBEDDED": "false",
        "QUERN_SECRET_KEY": secrets.token_urlsafe(64),
        "QUERN_ALLOWED_HOSTS": "quern.example.org",
    }
    check = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert check.returncode == 0, check.stderr
    assert "no issues" in check.stdout
