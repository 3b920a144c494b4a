import io

import pytest
import yaml
from django.core.management import call_command
from playwright.sync_api import ConsoleMessage
from pytest_django.live_server_helper import LiveServer

from tests.e2e.browser import chromium


@pytest.mark.django_db
def test_the_schema_is_valid_and_describes_both_kinds_of_bodies() -> None:
    out = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    schema = yaml.safe_load(out.getvalue())
    predict = schema["paths"]["/api/v1/projects/{slug}/predict"]["post"]
    assert set(predict["requestBody"]["content"]) == {
        "image/jpeg",
        "image/png",
        "image/webp",
        "application/octet-stream",
        "multipart/form-data",
        "application/json",
    }
    assert {"200", "400", "401", "404", "409", "413", "415", "503"} <= set(predict["responses"])
    assert {"apiKey": []} in predict["security"]
    assert {"apiKeyHeader": []} in predict["security"]
    feedback = schema["paths"]["/api/v1/projects/{slug}/predictions/{prediction_id}/feedback"]["post"]
    assert {"200", "201", "400", "404", "409"} <= set(feedback["responses"])


def test_the_reference_page_works_in_a_browser_under_the_content_security_policy(
    live_server: LiveServer,
) -> None:
    # The live server takes static files from where the web server does.
    call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=["plotly*", "admin"])
    with chromium() as browser:
        page = browser.new_page()
        complaints: list[str] = []

        def note(message: ConsoleMessage) -> None:
            if message.type == "error":
                complaints.append(message.text)

        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        response = page.goto(f"{live_server.url}/api/v1/docs")
        assert response is not None
        assert "script-src 'self'" in response.headers["content-security-policy"]
        page.get_by_text("What is in these images?").wait_for(timeout=60_000)
        page.get_by_text("What it really was").wait_for()
        assert not complaints
