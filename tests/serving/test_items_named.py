"""Images that the project has already are named instead of sent."""

import json

import pytest
from django.core.files.storage import default_storage

from labelling.models import Item
from serving.models import Prediction
from tests import factories
from tests.serving.conftest import Service
from tests.serving.trained import DARK, LIGHT, picture


def ask(service: Service, body: object) -> tuple[int, dict[str, object]]:
    answer = service.client.post(service.predict_path, body, "application/json")
    return answer.status_code, answer.json()


def test_items_are_answered_as_their_bytes_are_in_the_order_named(service: Service) -> None:
    dark, light = (
        factories.item(service.project, data=data) for data in (picture(DARK, 7), picture(LIGHT, 7))
    )
    body = {"items": [light.pk, dark.digest, light.digest.upper()]}
    answered = service.client.post(service.predict_path, body, "application/json")
    assert answered.status_code == 200, answered.content
    told = [one["labels"][0]["label"] for one in answered.json()["predictions"]]
    assert told == ["light", "dark", "light"]
    sent = service.client.post(service.predict_path, picture(LIGHT, 7), "image/png").json()["predictions"]
    assert sent[0]["labels"] == answered.json()["predictions"][0]["labels"]
    # What labels say of the items is joined to these answers by the digest, as for images that are sent.
    assert set(Prediction.objects.values_list("digest", flat=True)) == {dark.digest, light.digest}


def test_an_item_of_another_project_is_as_unknown_as_none(service: Service) -> None:
    foreign = factories.item(factories.project(), data=picture(DARK, 8))
    for name in (foreign.pk, foreign.digest, 10**30, -1, 0, "x", "", "12"):
        status, answer = ask(service, {"items": [name]})
        assert (status, answer["detail"]) == (
            404,
            f"The project has no item {str(name)!r}: name items by number or SHA-256.",
        )
    assert not Prediction.objects.exists()


NO_LISTS: list[object] = [[], "x", {}]
NO_NAMES: list[object] = [None, True, 1.5, [1], {"id": 1}]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"[" * 100_000, b"{}"]
    + [json.dumps({"items": found}).encode() for found in NO_LISTS]
    + [json.dumps({"items": [found]}).encode() for found in NO_NAMES],
)
def test_what_names_nothing_is_refused_in_a_sentence(service: Service, body: bytes) -> None:
    status, answer = ask(service, body)
    assert status == 400
    assert str(answer["detail"]).endswith((".", '"9f2b..."]}.'))


def test_too_many_items_or_bytes_and_a_lost_file_are_told(service: Service) -> None:
    item = factories.item(service.project, data=picture(DARK, 9))
    assert ask(service, {"items": [item.pk] * 64})[0] == 200
    assert ask(service, {"items": [item.pk] * 65}) == (
        413,
        {"detail": "A request names at most 64 items, not 65: send more requests."},
    )
    Item.objects.filter(pk=item.pk).update(size=20 * 1024 * 1024)
    assert ask(service, {"items": [item.pk] * 2}) == (
        413,
        {"detail": "These items have more than 32 MB together: name fewer in a request."},
    )
    default_storage.delete(item.path)
    assert ask(service, {"items": [item.pk]}) == (
        409,
        {"detail": f"The file of item {item.pk} is gone from the storage: import it again."},
    )
