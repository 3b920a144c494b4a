"""`manage.py simulate digits --labels 200`: annotators who know the truth, playing through the real pages."""

import argparse
import json
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelling.management.player import Player, Tally, Truth
from labelling.management.visitor import VisitFailed, Visitor
from labelling.models import Membership, Project, User
from labelling.services.projects import member_set

PROGRESS_EVERY = 20
# The host of the address that marks who is simulated; by RFC 2606 nobody can have a real one there.
SIMULATED = "simulated.invalid"


class Command(BaseCommand):
    help = (
        "Play annotators who know the truth through the real HTTP pages, for a demonstration or a benchmark."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the project, as in its address")
        parser.add_argument("--labels", type=_number(1), default=200, help="labels to give (200)")
        parser.add_argument("--annotators", type=_number(1, 50), default=2, help="people at once (2)")
        parser.add_argument(
            "--truth",
            type=Path,
            help="JSON file: {SHA-256 of the image's bytes: label's name}, or, for several questions, "
            "{...: {question's short name: label's name}}",
        )
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="the server (%(default)s)")
        parser.add_argument("--error-rate", type=_share, default=0.0, help="share of wrong answers (0)")
        parser.add_argument("--seed", type=_number(0), default=0, help="decides which answers are wrong (0)")
        parser.add_argument("--pace", type=float, default=0.0, help="seconds to think about each label (0)")

    def handle(self, *_args: object, **options: Any) -> None:
        slug, url = options["slug"], options["url"]
        if urlsplit(url).scheme not in ("http", "https"):
            raise CommandError(f"--url {url}: give the server's address, like http://127.0.0.1:8000.")
        project = Project.objects.filter(slug=slug).first()
        if project is None:
            raise CommandError(f"There is no project '{slug}': its name stands in the address of its page.")
        truth = _truth(options["truth"] or settings.DATA_DIR / "demo" / f"{slug}-truth.json")
        tally = Tally(options["labels"])
        began = time.monotonic()

        def on_label(player: Player, given: int) -> None:
            if given % PROGRESS_EVERY == 0 or given == tally.wanted:
                measured = player.visitor.holdout_accuracy(slug)
                self.stdout.write(f"{given:>5} labels  {time.monotonic() - began:6.1f} s{_told(measured)}")
                self.stdout.flush()

        players = [
            Player(
                visitor=Visitor(url),
                slug=slug,
                truth=truth,
                tally=tally,
                error_rate=options["error_rate"],
                pace=max(0.0, options["pace"]),
                rng=np.random.default_rng([options["seed"], number]),
                on_label=on_label,
            )
            for number in range(options["annotators"])
        ]
        try:
            signing_in = [_annotator(project, f"sim-{number}") for number in range(1, len(players) + 1)]
            for player, (name, password) in zip(players, signing_in, strict=True):
                player.visitor.sign_in(name, password)
            _play(players, tally)
        except VisitFailed as error:
            raise CommandError(f"{error} ({tally.given} labels were given.)") from error
        finally:
            for player in players:
                player.visitor.close()
        if tally.skipped:
            self.stdout.write(f"{tally.skipped} images were skipped: the truth file does not name them.")
        if tally.given < tally.wanted:
            self.stdout.write(f"The queue has run dry after {tally.given} of {tally.wanted} labels.")


def _play(players: list[Player], tally: Tally) -> None:
    """All at once; when one fails, the others stop too."""

    def stop_if_failed(playing: Future[None]) -> None:
        if playing.exception() is not None:
            tally.stopped = True

    with ThreadPoolExecutor(len(players)) as pool:
        games = [pool.submit(player.play) for player in players]
        for game in games:
            game.add_done_callback(stop_if_failed)
    for game in games:
        game.result()


def _annotator(project: Project, name: str) -> tuple[str, str]:
    """A user of that name with a new password, as an annotator of the project: name and password.

    Raises CommandError when a person has the name: nobody's password is changed.
    """
    password, mark = secrets.token_urlsafe(24), f"{name}@{SIMULATED}"
    user = User.objects.filter(username=name).first() or User(username=name, email=mark)
    if user.email != mark:
        raise CommandError(f"There is a user '{name}' who was not made by this command: rename that user.")
    user.set_password(password)
    user.save()
    if not Membership.objects.filter(project=project, user=user).exists():
        member_set(project=project, user=user, role=Membership.Role.ANNOTATOR)
    return name, password


def _truth(path: Path) -> dict[str, Truth]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CommandError(
            f"{path}: there is no such file. Name the truth with --truth, a JSON file of"
            " {SHA-256 of an image's bytes: its label's name}."
        ) from error
    except (OSError, ValueError) as error:
        raise CommandError(f"{path}: it cannot be read as JSON ({error}).") from error
    if not isinstance(read, dict) or not all(_names(said) for said in read.values()):
        raise CommandError(f"{path}: it should hold one JSON object of {{SHA-256: label's name}}.")
    return read


def _names(said: object) -> bool:
    """One label's name, or that of each question's by the question's key."""
    return isinstance(said, str) or (
        isinstance(said, dict) and all(isinstance(name, str) for name in said.values())
    )


def _told(measured: dict[str, float] | None) -> str:
    if measured is None:
        return ""
    return f"  hold-out accuracy {measured['accuracy']:.1%} ({measured['low']:.1%} to {measured['high']:.1%})"


def _number(least: int, most: int = 2**31) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"'{text}' should be a whole number from {least} to {most}")
        return int(text)

    return number


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' should be a share between 0 and 1")
    return share
