"""The contract: docs/openapi.json is the OpenAPI document of the service."""

import json
from pathlib import Path
from typing import Any

import pytest

from service.http.app import create_app
from service.settings import Settings

COMMITTED = Path(__file__).parents[3] / "docs" / "openapi.json"
WITH_KEY = [("/v1/emotions", "post"), ("/v1/models", "get")]


def document(plans: Path, **settings: Any) -> dict[str, Any]:
    return create_app(Settings(plans=plans, **settings)).openapi()


def test_the_committed_document_is_current(plans: Path) -> None:
    assert json.loads(COMMITTED.read_text()) == document(plans), (
        "the API changed; if that is meant, run `python -m tests.service.http.test_openapi`"
    )


def test_every_status_of_the_error_tree_is_documented(plans: Path) -> None:
    responses = document(plans)["paths"]["/v1/emotions"]["post"]["responses"]
    errors = "400 401 403 404 405 408 413 415 422 424 429 431 500 501 503 504"
    assert {*responses} == {"200", *errors.split()}
    assert "corrupt_image" in responses["422"]["description"]


@pytest.mark.parametrize(("keys", "optional"), [("", [{}]), ("sesame", [])])
def test_generated_clients_can_send_a_key(plans: Path, keys: str, optional: list[object]) -> None:
    """In one of two ways; a service without keys also takes requests without one."""
    found = document(plans, api_keys=keys)
    schemes = found["components"]["securitySchemes"]
    assert schemes["HTTPBearer"] == {"type": "http", "scheme": "bearer"}
    assert schemes["APIKeyHeader"] == {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    security = [{"HTTPBearer": []}, {"APIKeyHeader": []}, *optional]
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            expected = security if (path, method) in WITH_KEY else None
            assert operation.get("security") == expected, path


def in_order_of(old: Any, new: Any) -> Any:
    """Return `new` with its keys in the order that they have in `old`, so that diffs are small."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*(key for key in old if key in new), *(key for key in new if key not in old)]
        return {key: in_order_of(old.get(key), new[key]) for key in keys}
    if isinstance(old, list) and isinstance(new, list):
        olds = [*old, *[None] * len(new)]
        return [in_order_of(*pair) for pair in zip(olds, new, strict=False)]
    return new


if __name__ == "__main__":
    current = in_order_of(json.loads(COMMITTED.read_text()), document(Settings().plans))
    COMMITTED.write_text(json.dumps(current, indent=1) + "\n")
