import time

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from labelling.models import Membership
from serving.models import ApiKey, Scope
from serving.services.keys import KeyRefused, key_create, key_find, key_revoke
from tests import factories
from tests.serving.conftest import Service, until
from tests.serving.trained import DARK, picture


def status_with(service: Service, **headers: str) -> tuple[int, str, str]:
    response = Client(headers=headers).post(service.predict_path, picture(DARK), content_type="image/png")
    return response.status_code, response.json().get("detail", ""), response.get("WWW-Authenticate", "")


@pytest.mark.django_db
def test_only_the_hash_of_a_key_is_kept() -> None:
    key, plain = key_create(project=factories.project(), name="a robot", user=None)
    secret = plain.removeprefix(f"qk_{key.prefix}_")
    stored = ApiKey.objects.values().get()
    assert secret not in str(stored)
    assert len(stored["secret_hash"]) == 128
    assert key_find(plain=plain) == key


@pytest.mark.django_db
def test_a_wrong_secret_or_shape_is_refused() -> None:
    key, plain = key_create(project=factories.project(), name="a robot", user=None)
    changed = plain[:-1] + ("A" if plain[-1] != "A" else "B")
    for wrong in (changed, plain.replace(key.prefix, "0" * 12), plain[:-1], plain + "x", "", "qk__", "é"):
        with pytest.raises(KeyRefused):
            key_find(plain=wrong)


def test_both_headers_open_and_everything_else_is_401(service: Service) -> None:
    assert status_with(service, authorization=f"bearer {service.plain}")[0] == 200
    assert status_with(service, **{"x-api-key": service.plain})[0] == 200
    realm = 'Bearer realm="quern"'
    assert status_with(service) == (
        401,
        "Send an API key of the project: 'Authorization: Bearer qk_...'.",
        realm,
    )
    for header in ("Basic abc", "Bearer", "Bearer qk_1", f"Bearer {service.plain[:-3]}xyz", service.plain):
        status, sentence, challenge = status_with(service, authorization=header)
        assert (status, challenge) == (401, realm)
        assert sentence.endswith(".")
        assert service.plain not in sentence


def test_a_key_does_what_its_scopes_say_and_nothing_else(service: Service) -> None:
    made = {}
    for scope in Scope:
        _, plain = key_create(project=service.project, name=scope, user=None, scopes=[scope])
        made[scope] = Client(headers={"Authorization": f"Bearer {plain}"})
    asked = made[Scope.PREDICT].post(service.predict_path, picture(DARK), content_type="image/png")
    assert asked.status_code == 200
    [prediction] = asked.json()["predictions"]
    address = f"/api/v1/projects/{service.project.slug}/predictions/{prediction['id']}/feedback"
    told = {"data": {"label": "dark"}, "content_type": "application/json"}
    refused = made[Scope.PREDICT].post(address, **told)  # type: ignore[arg-type]  # the client's arguments
    assert (refused.status_code, refused.json()) == (
        403,
        {"detail": "This key may not give feedback: ask a manager of the project for one that may."},
    )
    assert made[Scope.FEEDBACK].post(address, **told).status_code == 201  # type: ignore[arg-type]

    sentence = "This key may not ask for predictions: ask a manager of the project for one that may."
    refused = made[Scope.FEEDBACK].post(service.predict_path, picture(DARK), content_type="image/png")
    assert (refused.status_code, refused.json()) == (403, {"detail": sentence})
    model = f"/v2/models/{service.project.slug}"
    for path in (model, f"{model}/ready", f"{model}/versions/1"):
        assert made[Scope.PREDICT].get(path).status_code == 200
        refused = made[Scope.FEEDBACK].get(path)
        assert (refused.status_code, refused.json()) == (403, {"error": sentence})
    assert made[Scope.FEEDBACK].post(f"{model}/infer", {}, "application/json").status_code == 403
    # Of other projects it learns no more than any key.
    elsewhere = made[Scope.FEEDBACK].get("/v2/models/elsewhere")
    assert elsewhere.status_code == 404


def test_scopes_cost_no_query(service: Service, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    key_find(plain=service.plain)
    with django_assert_num_queries(0):
        refused = service.client.get(f"/v2/models/{service.project.slug}/ready")
    assert refused.status_code == 200


@pytest.mark.django_db
def test_a_key_may_do_something_and_both_unless_told_otherwise() -> None:
    project = factories.project()
    assert key_create(project=project, name="both", user=None)[0].may == "predictions and feedback"
    for wrong in ([], ["everything"]):
        with pytest.raises(IntegrityError), transaction.atomic():
            key_create(project=project, name="wrong", user=None, scopes=wrong)


@pytest.mark.django_db
def test_in_the_admin_who_may_only_look_cannot_revoke() -> None:
    key, _ = key_create(project=factories.project(), name="a robot", user=None)
    looks, changes = factories.user(is_staff=True), factories.user(is_staff=True)
    for person, may in ((looks, ["view"]), (changes, ["view", "change"])):
        names = [f"{one}_apikey" for one in may]
        person.user_permissions.set(Permission.objects.filter(codename__in=names))
    address = reverse("admin:serving_apikey_changelist")
    for person, revoked in ((looks, False), (changes, True)):
        client = Client()
        client.force_login(person)
        assert ("Revoke the selected keys" in client.get(address).content.decode()) == revoked
        client.post(address, {"action": "revoke", "_selected_action": [key.pk]})
        key.refresh_from_db()
        assert (key.revoked_at is not None) == revoked


def test_a_session_is_no_api_key(service: Service) -> None:
    client = Client()
    client.force_login(factories.member(service.project, Membership.Role.MANAGER))
    response = client.post(service.predict_path, picture(DARK), content_type="image/png")
    assert response.status_code == 401


def test_a_revocation_takes_effect_within_a_second(service: Service) -> None:
    authorization = f"Bearer {service.plain}"
    assert status_with(service, authorization=authorization)[0] == 200
    started = time.monotonic()
    key_revoke(key=ApiKey.objects.get(pk=service.key.pk))
    until(lambda: status_with(service, authorization=authorization)[0] == 401)
    assert time.monotonic() - started < 1.0
    first = ApiKey.objects.get().revoked_at
    assert key_revoke(key=service.key).revoked_at == first
    assert "was revoked" in status_with(service, authorization=authorization)[1]


def test_a_key_deleted_a_moment_ago_is_refused_in_words(service: Service) -> None:
    authorization = f"Bearer {service.plain}"
    assert status_with(service, authorization=authorization)[0] == 200
    ApiKey.objects.all().delete()
    status, detail, _ = status_with(service, authorization=authorization)
    assert (status, detail) == (401, "This API key is not known any more.")
