from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labelling.models import Project
from serving.services.replay import decisions_replay


class Command(BaseCommand):
    help = "Make every automatic decision again from what was stored with it, and compare."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", nargs="?", help="the project's address; all of them if not given")

    def handle(self, *args: Any, **options: Any) -> None:
        project = None
        if slug := options["project"]:
            project = Project.objects.filter(slug=slug).first()
            if project is None:
                raise CommandError(f"There is no project '{slug}'.")
        replayed = decisions_replay(project=project)
        other = [one.decision for one in replayed if not one.same and not one.unread]
        for decision in other:
            self.stdout.write(f"{decision.pk} ({decision}) comes out otherwise")
        unread = [one for one in replayed if one.unread]
        for one in unread:
            self.stdout.write(f"{one.decision.pk} ({one.decision}) cannot be read: {one.unread}")
        same = len(replayed) - len(other) - len(unread)
        self.stdout.write(f"{same} of {len(replayed)} decisions come out the same.")
        if other:
            raise CommandError("The log does not reproduce its decisions.")
        if unread:
            raise CommandError("Some decisions cannot be read.")
