"""What stands in front of the web processes: Caddy, which holds a client's request until it is answered.

A web process that is killed takes what it was answering with it. The client's connection is the front's, so
the front asks another process. It does so where asking twice does no harm; it changes nothing else that
the processes see (`config.proxy.fronted`).
"""

import json
import signal
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config import processes
from config.supervisor import Program

CADDY = Path(sysconfig.get_path("scripts")) / "caddy"
FRONT = "a proxy in front, which asks another web process when one is killed with a request in hand"
# Of what is sent so, a second time changes nothing, or leaves one more record of a prediction.
HARMLESS_POSTS = (
    "/api/v1/projects/*/predict",
    "/api/v1/projects/*/predictions/*/feedback",
    "/v2/models/*/infer",
    "/v2/models/*/versions/*/infer",
    "/api/v1/projects/*/leases",
    "/api/v1/projects/*/annotations",
)
HARMLESS = [{"method": ["GET", "HEAD", "OPTIONS"]}, {"method": ["POST"], "path": list(HARMLESS_POSTS)}]
# A larger body than this goes through and is not kept: it cannot be sent to another process.
KEPT_BYTES = 8 * 1024**2
# Until a web server that has ended as a whole is there again.
PATIENCE = "10s"
# Whoever asks for the state wants to know it now.
STATE = ["/health/*", "/v2/health/*"]
STATE_PATIENCE = "500ms"
# So long after a request was lost at it, a process is passed over, if another is there.
AVOIDED = "500ms"
GRACE = "8s"
WEB_WORKERS_A_PROCESSOR = 8
LOST = "The part that was answering has ended, and was not asked again: it may have done its work."


@dataclass(frozen=True)
class Front:
    """Where it listens, and the folder for its files and for the sockets of as many web processes."""

    host: str
    port: int
    folder: Path
    web_workers: int

    def programs(self, env: Mapping[str, str]) -> list[Program]:
        """The web server and, of a higher tier, so that it lets go of its clients first, the front."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        path = self.folder / "front.json"
        path.write_text(json.dumps(self.configuration(), indent=1))
        homes = {"XDG_DATA_HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}
        # Go's threads look for work before they sleep: with one at a time it spends a quarter less.
        threads = {"GOMAXPROCS": str(max(1, self.web_workers // WEB_WORKERS_A_PROCESSOR))}
        command = [str(CADDY), "run", "--config", str(path)]
        return [
            Program("web", processes.web_behind(self.folder, self.web_workers), env),
            Program("front", command, {**env, **homes, **threads}, tier=2, stop_signal=signal.SIGINT),
        ]

    def configuration(self) -> dict[str, Any]:
        host = f"[{self.host}]" if ":" in self.host else self.host
        server = {
            "listen": [f"{host}:{self.port}"],
            "protocols": ["h1"],
            "automatic_https": {"disable": True},
            # X-Forwarded-* go on as they came, and whom the front was called by is added at the end.
            "trusted_proxies": {"source": "static", "ranges": ["0.0.0.0/0", "::/0"]},
            "routes": [
                {"match": [{"path": STATE}], "handle": [self._ask(STATE_PATIENCE)], "terminal": True},
                {
                    "match": [{"path": list(HARMLESS_POSTS)}],
                    "handle": [{**self._ask(PATIENCE), "request_buffers": KEPT_BYTES}],
                    "terminal": True,
                },
                {"handle": [self._ask(PATIENCE)]},
            ],
            "errors": {"routes": [{"handle": [_sorry()]}]},
        }
        return {
            "admin": {"disabled": True, "config": {"persist": False}},
            "logging": {"logs": {"default": {"level": "ERROR", "encoder": {"format": "console"}}}},
            "apps": {"http": {"grace_period": GRACE, "servers": {"front": server}}},
        }

    def _ask(self, patience: str) -> dict[str, Any]:
        sockets = [processes.web_socket(self.folder, number) for number in range(self.web_workers)]
        return {
            "handler": "reverse_proxy",
            "upstreams": [{"dial": f"unix/{socket}"} for socket in sockets],
            "load_balancing": {
                "selection_policy": {"policy": "least_conn"},
                "try_duration": patience,
                "try_interval": "20ms",
                "retry_match": HARMLESS,
            },
            "health_checks": {"passive": {"fail_duration": AVOIDED}},
            # It would ask for compressed answers on its own account.
            "transport": {"protocol": "http", "compression": False},
        }


def _sorry() -> dict[str, Any]:
    return {
        "handler": "static_response",
        "status_code": "{http.error.status_code}",
        "headers": {"Content-Type": ["application/json"], "Retry-After": ["1"]},
        "body": json.dumps({"detail": LOST, "error": LOST}),
    }
