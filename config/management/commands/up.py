import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from config.demo import DEMOS
from config.front import FRONT
from config.launch import Options, up
from config.preflight import CannotStart


class Command(BaseCommand):
    help = (
        "Run everything on this machine until Ctrl-C: PostgreSQL, Redis, the web server, the workers, beat."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--demo", choices=[*DEMOS, "none"], default="digits")
        parser.add_argument("--web-workers", type=int, default=2)
        parser.add_argument("--front", action="store_true", help=FRONT)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            up(
                Options(
                    data=settings.DATA_DIR,
                    host=options["host"],
                    port=options["port"],
                    demo=options["demo"],
                    web_workers=options["web_workers"],
                    front=options["front"],
                )
            )
        except CannotStart as reason:
            sys.exit(str(reason))
