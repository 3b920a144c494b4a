"""The champions this process has loaded, and the thread that keeps them current.

A request only reads a dictionary: it never asks the database which model answers and never loads one. One
thread a process asks a few times a second; when a champion has changed it loads the new one beside the old,
which answers until then. So a promotion reaches every process within a second, without a restart.
"""

import logging
import os
import threading
from dataclasses import dataclass, field, replace

from django.db import close_old_connections, connection
from django.db.models import Count

from learning.core.predictor import Predictor
from learning.models import ModelVersion
from learning.services.artifacts import predictor_load
from serving.models import Deployment

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.25
# So many champions are loaded before anyone has asked for them: those that changed last.
PRELOADED = 32
# After a champion that cannot be loaded, so many polls pass before the next try.
_POLLS_BETWEEN_TRIES = 20


class NoChampion(Exception):
    """The project has no model to answer with yet."""


class ChampionLoading(Exception):
    """It has one, and this process is still loading it."""


@dataclass(frozen=True)
class Champion:
    version_id: int
    number: int
    digest: str
    predictor: Predictor
    question_id: int
    key: str  # the question's
    several: bool  # its project asks other questions too


@dataclass(frozen=True)
class _Wanted:
    question_id: int
    key: str
    version_id: int
    several: bool


@dataclass
class Champions:
    """One thread loads, all others only read: what they read is replaced, never changed in place."""

    # project -> the champion of each question that has one, in the order of asking
    _loaded: dict[int, tuple[Champion, ...]] = field(default_factory=dict)
    # project -> what should answer; None until the first poll is through
    _wanted: dict[int, list["_Wanted"]] | None = None
    _asked_for: set[int] = field(default_factory=set)
    # version -> polls to let pass before trying to load it again
    _failed: dict[int, int] = field(default_factory=dict)
    _thread: threading.Thread | None = None
    _starting: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _wake: threading.Event = field(default_factory=threading.Event)

    def get(self, project_id: int) -> tuple[Champion, ...]:
        """The project's champions, one a question, at once. Raises NoChampion or ChampionLoading."""
        self.start()
        loaded = self._loaded.get(project_id)
        if loaded:
            return loaded
        if self._wanted is not None and project_id not in self._wanted:
            raise NoChampion
        if project_id not in self._asked_for:
            # Of two threads that do this at once one may win; the other's client asks again.
            self._asked_for = {*self._asked_for, project_id}
            self._wake.set()
        raise ChampionLoading

    def start(self) -> None:
        """Start the thread unless it runs. A forked child has none, and starts its own."""
        if self._thread is not None and self._thread.is_alive():
            return
        with self._starting:
            if self._thread is not None and self._thread.is_alive():
                return
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name=f"champions-{os.getpid()}", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread and forget everything."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = None
        self._loaded, self._wanted, self._asked_for, self._failed = {}, None, set(), {}

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            close_old_connections()
            try:
                self._poll()
            except Exception:
                # Mostly the database is gone: what is loaded goes on answering, and we try again.
                logger.exception("The champions could not be read; those loaded go on answering.")
                self._stop.wait(1.0)
            self._wake.wait(POLL_SECONDS)
        connection.close()

    def _poll(self) -> None:
        answering = Deployment.objects.exclude(champion=None)
        newest = list(answering.order_by("-updated_at").values_list("project_id", flat=True))
        counted = answering.annotate(asked=Count("project__questions"))
        rows = counted.order_by("question__position", "question_id").values_list(
            "project_id", "question_id", "question__key", "champion_id", "asked"
        )
        wanted: dict[int, list[_Wanted]] = {project_id: [] for project_id in newest}
        for project_id, question_id, key, version_id, asked in rows:
            # One that has got its first champion between the two queries waits for the next poll.
            if version_id is not None and project_id in wanted:
                wanted[project_id].append(_Wanted(question_id, key, version_id, asked > 1))
        self._wanted = wanted
        self._loaded = {p: c for p, c in self._loaded.items() if p in wanted}
        preloaded = set(list(wanted)[:PRELOADED])
        for project_id, ones in wanted.items():
            if project_id not in self._loaded and project_id not in preloaded | self._asked_for:
                continue
            self._load_project(project_id, ones)
            if self._stop.is_set():
                return

    def _load_project(self, project_id: int, ones: list[_Wanted]) -> None:
        standing = {champion.question_id: champion for champion in self._loaded.get(project_id, ())}
        found = []
        for one in ones:
            champion = standing.get(one.question_id)
            if self._stop.is_set():
                return
            if champion is None or champion.version_id != one.version_id:
                champion = self._load(project_id, one) or champion
            if champion is not None:
                found.append(replace(champion, key=one.key, several=one.several))
        if found and tuple(found) != self._loaded.get(project_id):
            self._loaded = {**self._loaded, project_id: tuple(found)}

    def _load(self, project_id: int, one: _Wanted) -> Champion | None:
        if self._failed.get(one.version_id, 0) > 0:
            self._failed[one.version_id] -= 1
            return None
        version = ModelVersion.objects.filter(pk=one.version_id).first()
        if version is None:
            return None
        try:
            predictor = predictor_load(version=version)
        except Exception:
            logger.exception("Version %d of project %d cannot be loaded.", version.number, project_id)
            self._failed[one.version_id] = _POLLS_BETWEEN_TRIES
            return None
        self._failed.pop(one.version_id, None)
        return Champion(
            version.pk, version.number, version.digest, predictor, one.question_id, one.key, one.several
        )


champions = Champions()
