"""The web server. The application is loaded here, once, before granian forks its processes: they share its
memory, and one that comes in the place of a dead one answers at once.
"""

import os
import runpy

import config.metrics_folder  # noqa: F401  # first: what counts decides at its import where to
from config.wsgi import application
from serving.services.champions import champions
from serving.services.prediction_log import spool

__all__ = ["application"]

# Each process begins to load the champions when it is forked, not when the first client asks.
os.register_at_fork(after_in_child=champions.start)
os.register_at_fork(after_in_child=spool.start)

if __name__ == "__main__":
    runpy.run_module("granian", run_name="__main__")
