"""The web server. The application is loaded here, once, before granian forks its processes: they share its
memory, and one that comes in the place of a dead one answers at once.
"""

import runpy

from config.wsgi import application

__all__ = ["application"]

if __name__ == "__main__":
    runpy.run_module("granian", run_name="__main__")
