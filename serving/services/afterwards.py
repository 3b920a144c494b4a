"""What comes once an answer has gone out is handed to a process beside the web processes, at no cost to live
traffic: in a web process it would hold the interpreter, and wait with it for its turn.
"""

import logging
from dataclasses import dataclass, field
from typing import Protocol

from serving.services.doing import Doing, rollouts_running
from serving.services.handing import Handed, Handing
from serving.services.metrics import afterwards_dropped

logger = logging.getLogger(__name__)


class Job(Protocol):
    @property
    def rollout_id(self) -> int: ...

    @property
    def unseen(self) -> int:
        """Images that the challenger does not see if this is dropped."""

    def packed(self) -> bytes: ...


@dataclass
class Afterwards:
    """Without a process beside this one, as in tests and under Django's own server, it is done at once."""

    beside: Handing | None = None
    _alone: Doing = field(default_factory=Doing)

    def put(self, job: Job) -> None:
        """Nobody waits for it, so nothing is raised."""
        try:
            content = job.packed()
            if self.beside is None:
                self._alone.do([Handed(job.rollout_id, job.unseen, 0, content)], rollouts_running())
            elif dropped := self.beside.put(rollout_id=job.rollout_id, images=job.unseen, content=content):
                afterwards_dropped(dropped)
        except Exception:
            logger.exception("What rollout %d wanted after an answer failed.", job.rollout_id)

    def waiting(self) -> int:
        """Jobs of all processes."""
        return self.beside.count() if self.beside is not None else 0


afterwards = Afterwards()
