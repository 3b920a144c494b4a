"""What the front is told, against what is behind it; tests/serving/test_killed_processes runs it."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.urls import resolve

from config import preflight
from config.front import HARMLESS_POSTS, Front
from config.proxy import fronted


def test_only_what_may_be_done_twice_is_asked_twice() -> None:
    names = [resolve(path.replace("*", str(uuid4()))).view_name for path in HARMLESS_POSTS]
    assert names == [
        *("serving:predict", "serving:feedback", "serving:v2-infer", "serving:v2-infer-of"),
        *("labelling:api-next", "labelling:api-annotations"),
    ]


def test_nobody_can_tell_it_from_outside_to_do_something_else(tmp_path: Path) -> None:
    told = Front("::1", 8000, tmp_path, 2).configuration()
    assert told["admin"]["disabled"]
    server = told["apps"]["http"]["servers"]["front"]
    assert server["listen"] == ["[::1]:8000"]
    assert server["automatic_https"]["disable"]


def seen(**environ: str) -> dict[str, Any]:
    """What the application sees of these variables."""
    found: dict[str, Any] = {}

    def application(environ: dict[str, Any], start_response: object) -> list[bytes]:
        found.update(environ)
        return []

    fronted(application)(dict(environ), lambda *_: None)
    return found


def test_the_visitor_is_whom_the_front_was_called_by_whatever_else_is_claimed() -> None:
    assert seen(HTTP_X_FORWARDED_FOR="203.0.113.9") == {"REMOTE_ADDR": "203.0.113.9"}
    # A proxy before the front has added its own word; the rule for that is `client_address`'s.
    assert seen(HTTP_X_FORWARDED_FOR="6.6.6.6, 198.51.100.2, 10.0.0.1") == {
        "REMOTE_ADDR": "10.0.0.1",
        "HTTP_X_FORWARDED_FOR": "6.6.6.6, 198.51.100.2",
    }


def test_it_refuses_a_front_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "CADDY", tmp_path / "caddy")
    with pytest.raises(preflight.CannotStart, match=r"^There is no .*caddy, which .* leave out --front\.$"):
        preflight.check_front()
