"""How the routes read JSON."""

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class JsonBody(JSONParser):
    """Refuses with a sentence what Python's JSON allows, and neither an answer nor a table can hold."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        try:
            sent = super().parse(stream, media_type, _marked(parser_context or {}))
            json.dumps(sent, ensure_ascii=False).encode()
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error
        except UnicodeEncodeError as error:
            raise ParseError("The JSON holds half a surrogate pair, which is no character.") from error
        return sent


def _marked(context: Mapping[str, Any]) -> dict[str, Any]:
    """UTF-8 may begin with its byte order mark, as Windows' editors write it."""
    encoding = context.get("encoding", "utf-8")
    return {**context, "encoding": "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding}
