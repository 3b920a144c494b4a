import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from config import processes
from config.environment import BASE_DIR
from config.front import FRONT


class Command(BaseCommand):
    help = "Become one of Quern's processes (containers do this; on one machine, `up` runs them all)."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("process", choices=["web", *processes.BACKGROUND])
        parser.add_argument("--host", default="127.0.0.1", help="of the web server")
        parser.add_argument("--port", type=int, default=8000, help="of the web server")
        parser.add_argument("--web-workers", type=int, default=2, help="processes of the web server")
        parser.add_argument("--front", action="store_true", help=FRONT)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["process"] == "web":
            server = processes.fronted if options["front"] else processes.web
            command = server(options["host"], options["port"], options["web_workers"])
        else:
            command = processes.BACKGROUND[options["process"]]()
        os.chdir(BASE_DIR)
        os.execv(command[0], command)
