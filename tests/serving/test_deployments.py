import json
import threading
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from labelling.models import Membership, User
from serving.core.promotion import Evidence, verdict
from serving.models import Decision, Deployment
from serving.services.deployments import PromotionRefused, deployment_automatic_set, deployment_promote
from serving.services.replay import decisions_replay
from serving.tasks import tick
from tests import factories
from tests.serving import trained


@pytest.mark.django_db
def test_the_tick_promotes_what_is_no_worse_and_holds_what_is() -> None:
    project = trained.project()
    tick()
    assert not Deployment.objects.exists(), "a project without a model needs no deployment"
    first = trained.bare_version(project, 0.80, 0.70, 0.88)
    tick()
    worse = trained.bare_version(project, 0.60, 0.50, 0.69)
    tick()
    tick()
    trained.bare_version(project, 0.10, 0.05, 0.20)
    newest = trained.bare_version(project, 0.75, 0.65, 0.83)
    tick()
    assert Deployment.objects.get().champion == newest
    made = Decision.objects.order_by("id")
    assert [(d.action, d.rule, d.model_version, d.previous) for d in made] == [
        ("promote", "first-model", first, None),
        ("hold", "worse", worse, first),
        # Of two versions that came between two ticks, the newer one is looked at.
        ("promote", "no-worse", newest, first),
    ]
    for decision in made:
        champion, candidate = decision.evidence["champion"], decision.evidence["candidate"]
        again = verdict(Evidence(**champion) if champion else None, Evidence(**candidate))
        assert (again.action, again.rule, again.reason) == (decision.action, decision.rule, decision.reason)


@pytest.mark.django_db
def test_champions_do_not_get_worse_step_by_step() -> None:
    project, person = trained.project(), factories.user()
    trained.bare_version(project, 0.95, 0.93, 0.97)
    tick()
    second = trained.bare_version(project, 0.935, 0.91, 0.96)
    tick()
    third = trained.bare_version(project, 0.915, 0.89, 0.94)
    tick()
    tick()
    assert Deployment.objects.get().champion == second
    held = Decision.objects.first()
    assert held is not None
    assert (held.action, held.model_version) == ("hold", third)
    assert held.reason.endswith("is below 93.0%, the lower bound of version 1, the best so far.")
    fourth = trained.bare_version(project, 0.92, 0.9, 0.945)
    tick()
    assert Deployment.objects.get().champion == second, "what was held sets no bar, and takes none away"
    assert all(replayed.same for replayed in decisions_replay())

    # A person's word is the beginning of something new.
    deployment_promote(project=project, version=fourth, actor=person, reason="The images have changed.")
    deployment_automatic_set(project=project, automatic=True, actor=person)
    newest = trained.bare_version(project, 0.905, 0.88, 0.93)
    tick()
    assert Deployment.objects.get().champion == newest


@pytest.mark.django_db
def test_a_persons_promotion_pins_the_version_until_automatic_is_on_again() -> None:
    project, person = trained.project(), factories.user()
    first = trained.bare_version(project, 0.5, 0.4, 0.6)
    trained.bare_version(project, 0.8, 0.7, 0.9)
    tick()
    decision = deployment_promote(project=project, version=first, actor=person, reason="It is kinder.")
    assert (decision.rule, decision.actor, decision.reason) == ("person", person, "It is kinder.")
    third = trained.bare_version(project, 0.9, 0.8, 0.95)
    tick()
    assert Deployment.objects.get().champion == first

    deployment_automatic_set(project=project, automatic=True, actor=person)
    deployment_automatic_set(project=project, automatic=True, actor=person)
    assert Decision.objects.filter(action="automatic-on").count() == 1
    tick()
    assert Deployment.objects.get().champion == third


@pytest.mark.django_db
def test_another_projects_version_is_refused() -> None:
    foreign = trained.bare_version(trained.project())
    project = trained.project()
    with pytest.raises(PromotionRefused, match="belongs to another project"):
        deployment_promote(project=project, version=foreign, actor=factories.user(), reason="")
    assert not Decision.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_promotions_at_the_same_time_leave_one_unbroken_chain() -> None:
    project = trained.project()
    versions = [trained.bare_version(project, 0.5, 0.4, 0.6) for _ in range(6)]
    people = [factories.user() for _ in versions]
    start = threading.Barrier(len(versions) + 1)
    failures: list[Exception] = []

    def run(job: int, person: User) -> None:
        try:
            start.wait()
            deployment_promote(project=project, version=versions[job], actor=person, reason=f"number {job}")
        except Exception as failure:
            failures.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(people)]
    for thread in threads:
        thread.start()
    start.wait()
    tick()
    for thread in threads:
        thread.join()
    assert not failures
    deployment = Deployment.objects.get()
    assert not deployment.automatic
    chain = list(Decision.objects.order_by("id"))
    assert len([d for d in chain if d.rule == "person"]) == len(versions)
    assert [d.previous for d in chain] == [None, *[d.model_version for d in chain[:-1]]]
    assert deployment.champion == chain[-1].model_version


@pytest.mark.django_db
def test_a_decision_never_changes() -> None:
    project = trained.project()
    trained.bare_version(project)
    tick()
    with pytest.raises(DatabaseError, match="never change"), transaction.atomic():
        Decision.objects.update(reason="Because.")


@pytest.mark.django_db
def test_programs_see_and_change_what_answers_and_what_is_kept(client: Client) -> None:
    project = trained.project()
    first, second = (trained.bare_version(project, right, 0.1, 0.9) for right in (0.5, 0.8))
    client.force_login(factories.member(project, Membership.Role.MANAGER))
    url = f"/api/v1/projects/{project.slug}/deployment"

    def sent(method: str, path: str = "", **body: object) -> tuple[int, dict[str, Any]]:
        answer = client.generic(method, url + path, json.dumps(body), content_type="application/json")
        return answer.status_code, answer.json()

    nothing_yet = {"questions": [], "keep_images": False, "keep_days": None, "audit_share": 0.1}
    assert client.get(url).json() == nothing_yet
    tick()
    key = project.questions.get().key
    answering = [{"question": key, "champion": second.number, "automatic": True}]
    assert client.get(url).json() == {**nothing_yet, "questions": answering}

    assert sent("PATCH", audit_share=0.4, keep_days=7)[0] == 200
    assert sent("PATCH", keep_images=True) == (
        200,
        {"questions": answering, "keep_images": True, "keep_days": 7, "audit_share": 0.4},
    )
    for wrong in ({"audit_share": 1.5}, {"keep_days": 0}, {"keep_images": "perhaps"}):
        status, said = sent("PATCH", **wrong)
        assert (status, said["detail"].split(":")[0]) == (400, next(iter(wrong)))
    assert client.get(url).json()["audit_share"] == 0.4

    status, said = sent("POST", "/promote", version=first.number)
    assert (status, said["questions"]) == (
        200,
        [{**answering[0], "champion": first.number, "automatic": False}],
    )
    assert Decision.objects.latest("id").reason.endswith(f"chose version {first.number}.")
    assert sent("POST", "/promote", version=99) == (
        400,
        {"detail": f"version: {project.name} has no version 99."},
    )
    assert sent("POST", "/automatic", automatic=True, question=key)[1]["questions"][0]["automatic"]
    status, said = sent("POST", "/automatic", automatic=True, question="colour")
    assert (status, said) == (400, {"detail": f"question: there is no 'colour'; there are {key}."})
