"""A rollout as its users see it: a manager's program begins it, clients ask and report, the tick looks."""

import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.test import Client
from django.utils import timezone

from labelling.models import Item, Label
from labelling.services.annotations import annotation_record
from learning.models import ModelVersion
from serving.models import Decision, Deployment, Rollout
from serving.services.champions import champions
from serving.services.loaded import LiveRollout
from serving.services.production import production_look
from serving.services.rollout_rules import rollouts_look
from tests import factories
from tests.serving.conftest import Service, until
from tests.serving.trained import DARK, LIGHT, picture


def images(count: int, start: int = 1000) -> Iterator[tuple[bytes, str]]:
    """Pictures that no model has learned from, with their labels."""
    for number in range(start, start + count):
        yield (picture(DARK, number), "dark") if number % 2 else (picture(LIGHT, number), "light")


@dataclass
class Rolled:
    service: Service
    manager: Client
    pk: int

    @property
    def row(self) -> Rollout:
        return Rollout.objects.get(pk=self.pk)

    @property
    def live(self) -> LiveRollout:
        live = champions.get(self.service.project.pk)[0].rollout
        assert live is not None
        return live

    @property
    def api(self) -> str:
        return f"/api/v1/projects/{self.service.project.slug}/rollouts/{self.pk}"

    def act(self, act: str) -> None:
        answer = self.manager.post(f"{self.api}/{act}")
        assert answer.status_code == 200, answer.content
        self.loaded()

    def loaded(self) -> None:
        """This process deals as the rollout says now."""
        row = self.row

        def current() -> bool:
            live = champions.get(self.service.project.pk)[0].rollout
            if row.state != Rollout.State.RUNNING:
                return live is None
            return live is not None and (live.plan.id, live.plan.phase) == (row.pk, row.phase)

        until(current)

    def ask(self, image: bytes, **headers: str) -> dict[str, Any]:
        answer = self.service.client.post(
            self.service.predict_path, image, content_type="image/png", headers=headers
        )
        assert answer.status_code == 200, answer.content
        [prediction] = answer.json()["predictions"]
        return dict(prediction)

    def report(self, prediction: dict[str, Any], label: str) -> None:
        address = f"/api/v1/projects/{self.service.project.slug}/predictions/{prediction['id']}/feedback"
        sent = self.service.client.post(
            address, json.dumps({"label": label}), content_type="application/json"
        )
        assert sent.status_code == 201, sent.content

    def ask_and_report(self, count: int, start: int = 1000, mistaken: int = 0) -> list[dict[str, Any]]:
        """Every `mistaken`-th report is wrong."""
        found = []
        for number, (image, label) in enumerate(images(count, start), 1):
            found.append(self.ask(image))
            other = "light" if label == "dark" else "dark"
            self.report(found[-1], other if mistaken and number % mistaken == 0 else label)
        return found

    def look(self) -> Decision | None:
        Rollout.objects.filter(pk=self.pk).update(due_at=timezone.now())
        decisions = rollouts_look()
        assert not self.row.error, self.row.error
        return decisions[0] if decisions else None


def rollout(
    service: Service, mode: str, challenger: ModelVersion, audit_share: float = 0.1, **config: object
) -> Rolled:
    """Started, and loaded here."""
    rolled = begun(service, mode, challenger, audit_share, **config)
    rolled.loaded()
    return rolled


def begun(
    service: Service, mode: str, challenger: ModelVersion, audit_share: float = 0.1, **config: object
) -> Rolled:
    """Started by a manager's program."""
    manager = Client()
    manager.force_login(factories.member(service.project, "manager"))
    sent = {
        "mode": mode,
        "challenger": challenger.number,
        "config": config,
        "audit_share": audit_share,
        "start": True,
    }
    made = manager.post(
        f"/api/v1/projects/{service.project.slug}/rollouts", json.dumps(sent), content_type="application/json"
    )
    assert made.status_code == 201, made.content
    return Rolled(service, manager, made.json()["id"])


def answer(rolled: Rolled, items: Iterable[Item], source: str = "") -> None:
    """Somebody labels them, rightly, as the queue has given them out or not; `source`: why it would have."""
    person, question = factories.member(rolled.service.project), rolled.row.question
    for item in items:
        annotation_record(
            project=rolled.service.project,
            annotator=person,
            uuid=uuid.uuid4(),
            item=item,
            question=question,
            label=Label.objects.get(question=question, name=item.metadata["truth"]),
            seconds=1.0,
            source=source,
        )


def production_look_now() -> None:
    Deployment.objects.update(looked_until=None)
    production_look()


def items_sent(rolled: Rolled, count: int) -> list[bytes]:
    """Images that the project has, each sent once."""
    sent = []
    for image, truth in images(count):
        item = factories.item(rolled.service.project, data=image)
        Item.objects.filter(pk=item.pk).update(metadata={"truth": truth})
        rolled.ask(image)
        sent.append(image)
    return sent
