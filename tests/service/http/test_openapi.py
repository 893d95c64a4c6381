"""The contract: docs/openapi.json is what the service says of itself."""

import json
from pathlib import Path

from service.http.app import create_app
from service.settings import Settings

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"


def document(plans: Path) -> dict[str, object]:
    found: dict[str, object] = create_app(Settings(plans=plans)).openapi()
    return found


def test_the_committed_document_is_the_service_s(plans: Path) -> None:
    assert json.loads(COMMITTED.read_text()) == document(plans), (
        "the API changed; if that is meant, run `python -m tests.service.http.test_openapi`"
    )


def test_every_status_of_the_error_tree_is_documented(plans: Path) -> None:
    paths = document(plans)["paths"]
    assert isinstance(paths, dict)
    responses = paths["/v1/emotions"]["post"]["responses"]
    refusals = "400 401 403 413 415 422 424 429 500 501 503 504"
    assert {*responses} == {"200", *refusals.split()}
    assert "corrupt_image" in responses["422"]["description"]


if __name__ == "__main__":
    COMMITTED.write_text(json.dumps(document(Settings().plans), indent=1) + "\n")
