"""The images of items, as members get them."""

import pytest
from django.test import Client
from django.urls import reverse

from labelling.models import Item, Project
from labelling.services.blobs import blob_put
from labelling.services.items import item_bytes
from tests import factories

pytestmark = pytest.mark.django_db
_BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def project() -> Project:
    return factories.project()


@pytest.fixture
def client(client: Client, project: Project) -> Client:
    client.force_login(factories.member(project), _BACKEND)
    return client


def url(project: Project, item: Item) -> str:
    return reverse("labelling:item-image", args=[project.slug, item.pk])


def test_a_member_gets_the_bytes_under_their_own_type(client: Client, project: Project) -> None:
    item = factories.item(project)
    response = client.get(url(project, item))
    assert response.content == item_bytes(item=item)
    assert response["Content-Type"] == "image/png"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"] == "private, max-age=31536000, immutable"
    assert response["ETag"] == f'"{item.digest}"'


def test_who_has_the_image_is_told_so_without_its_bytes(client: Client, project: Project) -> None:
    item = factories.item(project)
    response = client.get(url(project, item), headers={"If-None-Match": f'W/"x", "{item.digest}"'})
    assert (response.status_code, response.content) == (304, b"")
    assert client.get(url(project, item), headers={"If-None-Match": '"x"'}).status_code == 200


def test_strangers_and_other_projects_do_not_find_it(client: Client, project: Project) -> None:
    item = factories.item(project)
    elsewhere = factories.project()
    hidden = factories.item(elsewhere)
    assert client.get(url(project, hidden)).status_code == 404
    assert client.get(url(elsewhere, hidden)).status_code == 404
    assert Client().get(url(project, item)).status_code == 302


def test_bytes_that_the_storage_lost_are_a_404(client: Client, project: Project) -> None:
    item = factories.item(project)
    Item.objects.filter(pk=item.pk).update(path="projects/0/gone.png")
    assert client.get(url(project, item)).status_code == 404


def test_a_blob_put_twice_is_the_same_blob() -> None:
    for data in (b"cut", b"whole again", b"whole again"):
        blob_put(path="blobs/aa/blob", data=data)
    item = Item(path="blobs/aa/blob")
    assert item_bytes(item=item) == b"whole again"
