"""The champions this process has loaded, with the arms of rollouts, and the thread that keeps them current.

A request only reads a dictionary: it never asks the database which model answers and never loads one. One
thread a process asks a few times a second, and does at once what needs no other model: a rollback, a pause,
other shares. A second thread loads what is new beside the old, which answers until then, so that a rollback
waits for no model, however large. So a promotion, a start and a rollback reach every process within a second,
without a restart.
"""

import logging
import os
import threading
import time
from dataclasses import dataclass, field

from django.db import close_old_connections, connection

from serving.models import Arm
from serving.selectors import RolloutPlan, Wanted, answering_of, answering_text
from serving.services.following import followed
from serving.services.loaded import Champion, LiveRollout, LoadedModel
from serving.services.model_loader import ModelLoader
from serving.services.stored_references import reference_load
from serving.services.trial import Pulse, model_try

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.4
# So many champions are loaded before anyone has asked for them: those that changed last.
PRELOADED = 32
# A look that has waited for so long says that the database is silent. With the pause before it, readiness
# tells within a second; requests are refused a little later, and loading a model may hold up a look.
SILENT_SECONDS = 0.55
SILENT_SECONDS_REQUESTS = 1.0
SILENT_SECONDS_LOADING = 20.0
# After so many failed tries of a model, some seconds apart, it is said of a rollout's arm.
_TRIES = 2


class NoChampion(Exception):
    """The project has no model to answer with yet."""


class ChampionLoading(Exception):
    """It has one, and this process is still loading it."""


class ChampionBroken(ChampionLoading):
    """It cannot be loaded, which is tried again and again."""


@dataclass
class Champions:
    """Two threads keep it current, all others only read: what they read is replaced, never changed."""

    # project -> the champion of each question that has one, in the order of asking
    _loaded: dict[int, tuple[Champion, ...]] = field(default_factory=dict)
    # project -> what should answer; None until the first poll is through
    _wanted: dict[int, list[Wanted]] | None = None
    _begun: float | None = None  # since when the look that is in hand has waited for the database
    _refused: bool = False  # the last look failed
    _through: bool = False  # all champions were tried once
    _text: str = ""  # that `_wanted` was read from
    _asked_for: set[int] = field(default_factory=set)
    _models: ModelLoader = field(init=False)
    _pulse: Pulse = field(default_factory=Pulse)
    _thread: threading.Thread | None = None
    _loader: threading.Thread | None = None
    _starting: threading.Lock = field(default_factory=threading.Lock)
    _replacing: threading.Lock = field(default_factory=threading.Lock)  # of `_loaded`, by either thread
    _stop: threading.Event = field(default_factory=threading.Event)
    _wake: threading.Event = field(default_factory=threading.Event)
    _looked: threading.Event = field(default_factory=threading.Event)  # since the loader last began

    def __post_init__(self) -> None:
        self._models = ModelLoader(self._patience_begins)

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
        raise ChampionBroken if self.trouble(project_id) else ChampionLoading

    def start(self) -> None:
        """Start the threads unless they run. A forked child has none, and starts its own."""
        if self._thread is not None and self._thread.is_alive():
            return
        with self._starting:
            if self._thread is not None and self._thread.is_alive():
                return
            self._stop.clear()
            names = f"champions-{os.getpid()}", f"champions-loader-{os.getpid()}"
            self._thread = threading.Thread(target=self._run, name=names[0], daemon=True)
            self._loader = threading.Thread(target=self._load_wanted, name=names[1], daemon=True)
            self._thread.start()
            self._loader.start()

    def stop(self) -> None:
        """End the threads and forget everything."""
        self._stop.set()
        self._wake.set()
        self._looked.set()
        for thread in (self._thread, self._loader):
            if thread is not None:
                thread.join()
        self._thread = self._loader = None
        self._loaded, self._wanted, self._asked_for = {}, None, set()
        self._models.forget()
        self._begun, self._refused, self._through = None, False, False

    @property
    def started(self) -> bool:
        return self._thread is not None

    def database_is_silent(self, most: float = SILENT_SECONDS) -> bool:
        """Whether the thread's look has waited for `most` seconds, or failed. Never waits for it, and
        does not know before all champions were tried, or where the thread does not run.
        """
        begun = self._begun
        if self._thread is None or not self._through:
            return False
        if not self._thread.is_alive() or self._refused:
            return True
        patience = SILENT_SECONDS_LOADING if self._models.loading else most
        return begun is not None and time.monotonic() - begun > patience

    def tried(self) -> bool:
        """Whether each champion that was there at the start is loaded, or was found broken."""
        return self._through

    def none_works(self) -> bool:
        """Whether there are champions and every one that was tried failed on a sample, or cannot be read.

        If some work, the process answers their clients; the others' learn of it from their own answers.
        """
        wanted = {one.version_id for ones in (self._wanted or {}).values() for one in ones}
        return not self._loaded and bool(wanted & self._models.why.keys())

    def answers_now(self) -> bool:
        """Whether a champion that is loaded still answered a sample half a second ago; yes where none is, as
        `none_works` says why.
        """
        models = [one.model for answering in self._loaded.values() for one in answering]
        return not models or self._pulse.beats(models)

    def trouble(self, project_id: int) -> str:
        """Why a champion of the project does not answer, for its people; "" as far as this process knows."""
        wanted, known = (self._wanted or {}).get(project_id, []), self._models.why
        why = next((known[one.version_id] for one in wanted if one.version_id in known), "")
        if not why:
            return ""
        answering = "what answered before does" if project_id in self._loaded else "clients get no answer"
        return f"{why.rstrip('.')}. Until it can, {answering}; promote another version, or restore its files."

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            close_old_connections()
            # Only a look in hand counts: without a processor to begin one, nothing is known of the database.
            self._begun = time.monotonic()
            try:
                self._poll()
                self._begun, self._refused = None, False
            except Exception:
                # Mostly the database is gone: what is loaded goes on answering, and we try again.
                self._refused = True
                logger.exception("The champions could not be read; those loaded go on answering.")
                self._stop.wait(1.0)
            self._wake.wait(POLL_SECONDS)
        connection.close()

    def _poll(self) -> None:
        text = answering_text()
        if self._wanted is None or text != self._text:
            wanted = answering_of(text)
            with self._replacing:
                self._wanted, self._text = wanted, text
                now = {p: followed(c, wanted[p]) for p, c in self._loaded.items() if p in wanted}
                self._loaded = {project_id: answering for project_id, answering in now.items() if answering}
        self._looked.set()

    def _load_wanted(self) -> None:
        """What the second thread does after each look, or as long as it takes."""
        while not self._stop.is_set():
            self._looked.wait()
            self._looked.clear()
            try:
                self._load_all()
            except Exception:
                # Mostly the database is gone, as the next look will find.
                logger.exception("The champions could not be loaded; those loaded go on answering.")
            connection.close()  # it needs one rarely

    def _load_all(self) -> None:
        wanted = self._wanted
        if wanted is None or self._stop.is_set():
            return
        preloaded = set(list(wanted)[:PRELOADED])
        for project_id in wanted:
            if project_id not in self._loaded and project_id not in preloaded | self._asked_for:
                continue
            # What was wanted when this began may be old by now.
            self._load_project(project_id, (self._wanted or {}).get(project_id, []))
            if self._stop.is_set():
                return
        self._through = True

    def _load_project(self, project_id: int, ones: list[Wanted]) -> None:
        standing = {champion.question_id: champion for champion in self._loaded.get(project_id, ())}
        found = []
        for one in ones:
            if self._stop.is_set():
                return
            champion = self._champion(one, standing.get(one.question_id))
            if champion is not None:
                found.append(champion)
        with self._replacing:
            # Meanwhile somebody may have taken back what was being loaded.
            answering = followed(found, (self._wanted or {}).get(project_id, []))
            if answering and answering != self._loaded.get(project_id):
                self._loaded = {**self._loaded, project_id: answering}

    def _champion(self, one: Wanted, standing: Champion | None) -> Champion | None:
        """What is to answer; as long as it cannot be loaded, what has answered so far, without a rollout."""
        model = self._models.best(one.version_id, one.int8, standing.model if standing else None, model_try)
        if model is None:
            return None
        live = standing.rollout if standing else None
        current = model.version_id == one.version_id
        if one.rollout is None or not current:
            live = None
        elif live is None or live.plan != one.rollout:
            live = self._live(one.rollout, model)
        reference = reference_load(one.reference) if current else None  # of the backbone that is wanted
        return Champion(
            model,
            one.question_id,
            one.key,
            one.several,
            one.keep_images,
            live,
            reference,
            one.drifted,
            one.audit_share,
        )

    def _live(self, plan: RolloutPlan, champion: LoadedModel) -> LiveRollout | None:
        """None until all its arms are loaded: the champion answers alone."""
        arms = {}
        for (name, version_id), int8 in zip(plan.arms, plan.int8, strict=True):
            model = champion if version_id == champion.version_id else self._models.best(version_id, int8)
            if model is None:
                self._tell(plan, name, version_id)
                return None
            arms[name] = model
        Arm.objects.filter(rollout=plan.id).exclude(load_error="").update(load_error="")
        try:
            return LiveRollout.of(plan, arms)
        except ValueError as error:
            # Its mode is gone, or reads other settings now: no reason to leave others without their models.
            logger.error("Rollout %d cannot run: %s", plan.id, error)
            return None

    def _patience_begins(self) -> None:
        """A look in hand may have waited for the processor that a load took, not for the database. If it has
        just ended instead, the next one begins before anyone's patience does.
        """
        if self._begun is not None:
            self._begun = time.monotonic()

    def _tell(self, plan: RolloutPlan, name: str, version_id: int) -> None:
        """The rollout's rule looks at it: what cannot be loaded must not wait for traffic to show it.

        One failed try is no evidence: the storage may have been away for a moment.
        """
        if self._models.tries[version_id] >= _TRIES:
            unknown = Arm.objects.filter(rollout=plan.id, name=name, load_error="")
            unknown.update(load_error=self._models.why[version_id])


champions = Champions()
