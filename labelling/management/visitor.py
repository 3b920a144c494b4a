"""A visitor of the pages: signs in like a browser, keeps its cookies, speaks nothing but HTTP."""

import json
import re
from collections.abc import Mapping
from html import unescape
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

_PAGE_DATA = re.compile(r'<script id="label-page" type="application/json">(.*?)</script>', re.DOTALL)
_MEASURES = re.compile(r'data-(accuracy|low|high)="([^"]+)"')


class VisitFailed(Exception):
    """The server gave no usable answer; the message is a sentence."""


class Visitor:
    """One visitor on one kept-alive connection; for one thread at a time."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        parts = urlsplit(self._url)
        secure = parts.scheme == "https"
        self._connection = (HTTPSConnection if secure else HTTPConnection)(parts.netloc, timeout=30)
        self._cookies: dict[str, str] = {}

    def close(self) -> None:
        self._connection.close()

    def sign_in(self, name: str, password: str) -> None:
        self.get("/login/")
        form = {"username": name, "password": password, "csrfmiddlewaretoken": self._token()}
        self._ask("POST", "/login/", urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"})
        if "sessionid" not in self._cookies:
            raise VisitFailed(
                f"{self._url} did not let {name} in: does it serve another database than this one?"
            )

    def get(self, path: str) -> bytes:
        return self._ask("GET", path)

    def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        return dict(
            json.loads(self._ask("POST", path, json.dumps(body), {"Content-Type": "application/json"}))
        )

    def label_page(self, slug: str) -> dict[str, Any]:
        """What the annotator's page tells its script: addresses, questions, labels."""
        found = _PAGE_DATA.search(self.get(f"/projects/{slug}/label/").decode())
        if found is None:
            raise VisitFailed(
                f"The project '{slug}' has nothing to ask: give it a question with labels first."
            )
        return dict(json.loads(found[1]))

    def holdout_accuracy(self, slug: str) -> dict[str, float] | None:
        """What the project page shows: accuracy, low and high; None while it shows none."""
        try:
            panel = self.get(f"/projects/{slug}/learning/panel/").decode()
        except VisitFailed:
            return None
        found = {name: unescape(value) for name, value in _MEASURES.findall(panel)}
        try:
            return {name: float(found[name]) for name in ("accuracy", "low", "high")}
        except (KeyError, ValueError):
            return None

    def _token(self) -> str:
        return self._cookies.get("csrftoken", "")

    def _ask(self, method: str, path: str, body: str = "", headers: Mapping[str, str] | None = None) -> bytes:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        # A page from https takes a form only with a referrer of its own.
        sent = {
            "Cookie": cookies,
            "X-CSRFToken": self._token(),
            "Referer": f"{self._url}/",
            **(headers or {}),
        }
        try:
            self._connection.request(method, path, body.encode(), sent)
            answer = self._connection.getresponse()
            said = answer.read()
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise VisitFailed(
                f"{self._url} cannot be reached ({error}): start it with 'manage.py up', or give --url."
            ) from error
        for line in answer.headers.get_all("Set-Cookie", []):
            self._cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
        if answer.status >= 400:
            raise VisitFailed(f"{self._url}{path} answered {answer.status}: {_sentence(said)}")
        return said


def _sentence(said: bytes) -> str:
    try:
        return str(json.loads(said)["detail"])
    except (ValueError, KeyError, TypeError):
        return "see the server's log."
