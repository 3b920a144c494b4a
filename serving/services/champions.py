"""The champions this process has loaded, and the thread that keeps them current.

A request only reads a dictionary: it never asks the database which model answers and never loads one. One
thread a process asks a few times a second; when a champion has changed it loads the new one beside the old,
which answers until then. So a promotion reaches every process within a second, without a restart.
"""

import logging
import os
import threading
from dataclasses import dataclass, field

from django.db import close_old_connections, connection

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


@dataclass
class Champions:
    """One thread loads, all others only read: what they read is replaced, never changed in place."""

    _loaded: dict[int, Champion] = field(default_factory=dict)
    # project -> the version that should answer; None until the first poll is through
    _wanted: dict[int, int] | None = None
    _asked_for: set[int] = field(default_factory=set)
    # version -> polls to let pass before trying to load it again
    _failed: dict[int, int] = field(default_factory=dict)
    _thread: threading.Thread | None = None
    _starting: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _wake: threading.Event = field(default_factory=threading.Event)

    def get(self, project_id: int) -> Champion:
        """The project's champion, at once. Raises NoChampion or ChampionLoading."""
        self.start()
        champion = self._loaded.get(project_id)
        if champion is not None:
            return champion
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
        rows = Deployment.objects.exclude(champion=None).order_by("-updated_at")
        wanted = dict(rows.values_list("project_id", "champion_id"))
        self._wanted = {project: version for project, version in wanted.items() if version is not None}
        self._loaded = {p: c for p, c in self._loaded.items() if p in self._wanted}
        preloaded = set(list(self._wanted)[:PRELOADED])
        for project_id, version_id in self._wanted.items():
            standing = self._loaded.get(project_id)
            if standing is not None and standing.version_id == version_id:
                continue
            if standing is None and project_id not in preloaded | self._asked_for:
                continue
            if self._stop.is_set():
                return
            self._load(project_id, version_id)

    def _load(self, project_id: int, version_id: int) -> None:
        if self._failed.get(version_id, 0) > 0:
            self._failed[version_id] -= 1
            return
        version = ModelVersion.objects.filter(pk=version_id).first()
        if version is None:
            return
        try:
            predictor = predictor_load(version=version)
        except Exception:
            logger.exception("Version %d of project %d cannot be loaded.", version.number, project_id)
            self._failed[version_id] = _POLLS_BETWEEN_TRIES
            return
        self._failed.pop(version_id, None)
        champion = Champion(version.pk, version.number, version.digest, predictor)
        self._loaded = {**self._loaded, project_id: champion}


champions = Champions()
