from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from labelling.models import Project
from learning.models import Learner, TrainingRun
from learning.selectors import activity, learner_of
from learning.services.embeddings import shard_embed
from learning.services.learners import learners_ensure
from learning.services.runs import runs_create_due, runs_take_over
from learning.services.shards import shards_plan, shards_to_send
from learning.services.training import run_train
from learning.services.work import works_to_send


class Command(BaseCommand):
    help = "Embed, train and rank one project now, in this process: for machines without workers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="The project's name in its address.")

    def handle(self, *args: object, slug: str, **options: object) -> None:
        project = Project.objects.filter(slug=slug).first()
        if project is None:
            raise CommandError(f"There is no project '{slug}'; its name is the part after /projects/.")
        learners_ensure()
        Learner.objects.filter(project=project).update(requested_at=timezone.now())
        shards_plan()
        while shards := shards_to_send():
            for shard_id in shards:
                shard_embed(shard_id=shard_id)
        runs_take_over()
        runs_create_due()
        for run_id in works_to_send(TrainingRun):
            run_train(run_id=run_id)
        last = TrainingRun.objects.filter(project=project).first()
        if last is not None and last.state == TrainingRun.State.FAILED:
            raise CommandError(last.error)
        self.stdout.write(activity(project, learner_of(project)).words)
