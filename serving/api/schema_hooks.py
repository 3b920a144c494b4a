"""What drf-spectacular has no word for."""

from typing import Any

RAW_BODIES = {"predict"}


def bodies_required(result: dict[str, Any], **kwargs: object) -> dict[str, Any]:
    """A body that is no JSON counts as optional there."""
    for path in result["paths"].values():
        for operation in path.values():
            if operation["operationId"] in RAW_BODIES:
                operation["requestBody"]["required"] = True
    return result
