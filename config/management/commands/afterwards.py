from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from config.priority import become_idle
from serving.services.doing import Doing
from serving.services.handing import Waiting


class Command(BaseCommand):
    help = "Do what comes after answers, such as asking a shadow's challenger. (The web server calls it.)"
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--waiting", type=int, required=True, help="the descriptor of what waits")

    def handle(self, *args: Any, **options: Any) -> None:
        # Not sooner: with nothing left by others, it would not even come to its first line for minutes.
        become_idle()
        waiting, doing = Waiting.inherited(options["waiting"]), Doing()
        while True:
            doing.turn(waiting)
