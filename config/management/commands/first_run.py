import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from config.demo import DEMOS
from config.first_run import Credentials, first_run
from config.private_file import write_private
from config.staticfiles import collect_if_changed


class Command(BaseCommand):
    help = "Migrate, collect static files; make the first users and the demo project. (`up` calls it.)"

    # They load the pages, and with them torch; the web server's start shows the same faults.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--demo", choices=[*DEMOS, "none"], default="none")
        parser.add_argument("--report", type=Path, required=True, help="where to write new passwords (JSON)")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        collect_if_changed()
        report: Path = options["report"]

        def keep(credentials: Credentials) -> None:
            # A file that only this user can read, not the output: that may be kept as a log.
            write_private(report, json.dumps(credentials.as_json()))

        first_run(options["demo"], settings.DATA_DIR, self.stdout.write, keep)
