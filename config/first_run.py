"""What a new installation starts with: people to sign in as, a demo project, a key to its predictions."""

import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from django.db import transaction

from config import demo
from labelling.models import ImportJob, Membership, Project, User
from labelling.services.imports import import_create
from labelling.services.projects import member_set, project_create
from serving.services.keys import key_create


@dataclass(frozen=True)
class Credentials:
    """Shown once; the database keeps only hashes."""

    admin: str
    annotator: str
    api_key: str | None  # of the demo project, if there is one

    def as_json(self) -> dict[str, str | None]:
        return asdict(self)


def first_run(
    demo_name: str, data: Path, say: Callable[[str], None], keep: Callable[[Credentials], None]
) -> None:
    """Make the demo project where it is missing, the first users where there are none. Safe to run again.

    `keep` gets the new users' credentials before these users can be seen: none is ever without a password.
    """
    chosen = demo.DEMOS.get(demo_name)
    folder = None
    if chosen and not ImportJob.objects.filter(project__slug=chosen.slug).exists():
        folder = demo.write_pngs(chosen, data, say)
    with transaction.atomic():
        new = not User.objects.exists()
        admin_password, annotator_password = _password(), _password()
        if new:
            User.objects.create_superuser("admin", password=admin_password)
            User.objects.create_user("annotator", password=annotator_password)
        admin = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
        project = Project.objects.filter(slug=chosen.slug).first() if chosen else None
        if chosen and folder and project is None:
            project = project_create(
                name=chosen.name,
                slug=chosen.slug,
                prompt=chosen.prompt,
                labels=list(chosen.labels),
                manager=admin,
            )
            annotator = User.objects.filter(username="annotator").first()
            if annotator:
                member_set(project=project, user=annotator, role=Membership.Role.ANNOTATOR)
            import_create(
                project=project,
                kind=ImportJob.Kind.FOLDER,
                source=str(folder),
                name=chosen.name,
                uploaded=False,
                user=admin,
            )
        key = key_create(project=project, name="first key", user=admin)[1] if new and project else None
        if new:
            keep(Credentials(admin_password, annotator_password, key))


def _password() -> str:
    return secrets.token_urlsafe(12)
