import threading
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.utils import timezone

from labelling.models import Lease, Membership, Project
from labelling.services.projects import member_remove
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return factories.project()


@pytest.fixture
def manager(client: Client, project: Project) -> Client:
    client.force_login(factories.member(project, Membership.Role.MANAGER))
    return client


def roles(project: Project) -> dict[str, str]:
    return dict(project.memberships.values_list("user__username", "role"))


def test_a_manager_adds_a_user_changes_the_role_and_removes_them(manager: Client, project: Project) -> None:
    factories.user("olga")
    address = f"/projects/{project.slug}/members/"

    manager.post(address, {"username": "olga", "role": "annotator"})
    assert roles(project)["olga"] == "annotator"
    manager.post(address, {"username": "olga", "role": "reviewer"})
    assert roles(project)["olga"] == "reviewer"
    page = manager.post(address, {"username": "olga", "action": "remove"}, follow=True).content.decode()
    assert "olga" not in roles(project)
    assert "olga is no longer a member." in page


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"username": "nobody", "role": "annotator"}, "There is no user called &#x27;nobody&#x27;."),
        ({"username": "", "role": "annotator"}, "Write the name of the person to add."),
        ({"username": "olga", "role": "king"}, "Select a valid choice. king is not one"),
        ({"username": "olga", "action": "remove"}, "olga is not a member of"),
    ],
)
def test_a_mistake_is_answered_in_words(
    manager: Client, project: Project, sent: dict[str, str], sentence: str
) -> None:
    factories.user("olga")
    response = manager.post(f"/projects/{project.slug}/members/", sent)
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert len(roles(project)) == 1


@pytest.mark.parametrize("change", [{"action": "remove"}, {"role": "annotator"}])
def test_the_last_manager_stays_until_there_is_another(
    manager: Client, project: Project, change: dict[str, str]
) -> None:
    name = Membership.objects.get(project=project).user.username
    sent = {"username": name, **change}
    address = f"/projects/{project.slug}/members/"

    page = manager.post(address, sent).content.decode()
    assert f"{name} is the only manager of {project.name}: make someone else a manager first." in page
    assert roles(project) == {name: "manager"}

    factories.member(project, Membership.Role.MANAGER)
    assert manager.post(address, sent)["Location"] == "/"
    assert roles(project).get(name) != "manager"


def test_items_reserved_for_a_removed_member_are_free_again(project: Project) -> None:
    member = factories.member(project)
    Lease.objects.create(
        item=factories.item(project),
        project=project,
        annotator=member,
        expires_at=timezone.now() + timedelta(minutes=2),
        source=Lease.Source.RANDOM,
    )
    member_remove(project=project, user=member)
    assert not Lease.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_managers_who_remove_each_other_at_once_leave_one(project: Project) -> None:
    managers = [factories.member(project, Membership.Role.MANAGER) for _ in range(2)]
    start = threading.Barrier(2)
    refusals = []

    def remove(index: int) -> None:
        try:
            start.wait()
            member_remove(project=project, user=managers[index])
        except ValidationError as refusal:
            refusals.append(refusal)
        finally:
            connection.close()

    threads = [threading.Thread(target=remove, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refusals) == 1
    assert list(roles(project).values()) == ["manager"]
