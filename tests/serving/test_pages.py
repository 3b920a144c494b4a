import json
import re
import subprocess

import pytest
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from labelling.models import Membership, Project
from labelling.services.items import item_bytes
from serving.models import ApiKey, Decision, Deployment
from tests import factories
from tests.serving import trained
from tests.serving.conftest import Service

ROLES = [Membership.Role.ANNOTATOR, Membership.Role.REVIEWER, Membership.Role.MANAGER]


def signed_in(project: Project, role: str) -> Client:
    client = Client()
    client.force_login(factories.member(project, role))
    return client


@pytest.mark.django_db
def test_each_role_sees_what_is_meant_for_it() -> None:
    project = trained.project()
    version = trained.bare_version(project)
    seen = {}
    for role in ROLES:
        client = signed_in(project, role)
        seen[role] = [
            client.get(f"/projects/{project.slug}/{page}/").status_code
            for page in ("serving/panel", "deployment", "keys")
        ] + [
            client.post(f"/projects/{project.slug}/{action}", {"version": version.number}).status_code
            for action in ("deployment/promote", "deployment/automatic", "keys/1/revoke")
        ]
    assert seen == {
        Membership.Role.ANNOTATOR: [200, 403, 403, 403, 403, 403],
        Membership.Role.REVIEWER: [200, 200, 403, 403, 403, 403],
        Membership.Role.MANAGER: [200, 200, 200, 302, 422, 404],
    }
    stranger = Client()
    stranger.force_login(factories.user())
    assert stranger.get(f"/projects/{project.slug}/deployment/").status_code == 404
    assert Client().get(f"/projects/{project.slug}/keys/").status_code == 302


@pytest.mark.django_db
def test_the_panel_says_in_words_that_there_is_no_model() -> None:
    project = trained.project()
    page = signed_in(project, "annotator").get(f"/projects/{project.slug}/serving/panel/")
    assert "No model yet." in page.content.decode()


def test_the_panel_shows_the_champion_and_how_clients_judge_it(service: Service) -> None:
    for said in ("dark", "light"):
        response = service.client.post(
            service.predict_path, trained.picture(trained.DARK), content_type="image/png"
        )
        prediction = response.json()["predictions"][0]["id"]
        service.client.post(
            f"/api/v1/projects/{service.project.slug}/predictions/{prediction}/feedback",
            {"label": said},
            content_type="application/json",
        )
    url = f"/projects/{service.project.slug}/serving/panel/"
    page = signed_in(service.project, "reviewer").get(url).content.decode()
    assert "Version 1" in page
    assert "Version 1 is the first model." in page
    assert "50.0%" in page
    assert f"http://testserver{service.predict_path}" in page
    assert "curl" not in signed_in(service.project, "annotator").get(url).content.decode()


@pytest.mark.django_db
def test_a_manager_promotes_and_turns_the_rule_on_again() -> None:
    project = trained.project()
    version = trained.bare_version(project, 0.8, 0.7, 0.9)
    manager = signed_in(project, "manager")
    base = f"/projects/{project.slug}/deployment/"
    page = manager.post(f"{base}promote", {"version": 1, "reason": ""}, follow=True).content.decode()
    assert "Version 1 answers all clients within a second." in page
    assert "Turn automatic promotion on" in page
    assert "80.0% (70.0% to 90.0%)" in page
    decision = Decision.objects.get()
    assert (decision.model_version, decision.rule) == (version, "person")
    assert decision.actor is not None
    manager.post(f"{base}automatic", {"automatic": "on"})
    assert Deployment.objects.get().automatic
    assert manager.post(f"{base}promote", {"version": 9}).status_code == 404
    assert manager.post(f"{base}promote", {"version": "x"}).status_code == 422


@pytest.mark.django_db
def test_a_key_is_shown_once_and_can_be_revoked() -> None:
    project = trained.project()
    manager = signed_in(project, "manager")
    url = f"/projects/{project.slug}/keys/"
    assert manager.post(url, {"name": " "}).status_code == 422
    page = manager.post(url, {"name": "the sorter"}).content.decode()
    key = ApiKey.objects.get()
    assert re.search(rf"qk_{key.prefix}_[\w-]{{43}}", page)
    later = manager.get(url).content.decode()
    assert "the sorter" in later
    assert not re.search(rf"qk_{key.prefix}_[\w-]{{43}}", later)
    manager.post(f"{url}{key.pk}/revoke")
    assert "revoked" in manager.get(url).content.decode()
    foreign = signed_in(trained.project(), "manager")
    assert foreign.post(f"{url}{key.pk}/revoke").status_code == 404


@pytest.mark.django_db
def test_what_a_key_may_do_is_chosen_and_shown() -> None:
    project = trained.project()
    manager = signed_in(project, "manager")
    url = f"/projects/{project.slug}/keys/"
    assert manager.post(url, {"name": "wrong", "scopes": "everything"}).status_code == 422
    made = manager.post(url, {"name": "the reporter", "scopes": "feedback"}).content.decode()
    assert ApiKey.objects.get().scopes == ["feedback"]
    assert "curl" not in made, "it could not do what the line does"
    assert "<td>feedback</td>" in manager.get(url).content.decode()
    manager.post(url, {"name": "the sorter"})
    assert "<td>predictions and feedback</td>" in manager.get(url).content.decode()


def test_the_curl_line_on_the_page_works_as_printed(service: Service, live_server: LiveServer) -> None:
    item = factories.item(service.project, data=trained.picture(trained.LIGHT, 9))
    assert item_bytes(item=item)
    manager = signed_in(service.project, "manager")
    host = live_server.url.removeprefix("http://")
    page = manager.post(
        f"/projects/{service.project.slug}/keys/", {"name": "printed"}, headers={"host": host}
    )
    line = page.context["example"]
    done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout)["predictions"][0]["labels"][0]["label"] == "light", done
