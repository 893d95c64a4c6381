"""The service conforms to its OpenAPI document: schemathesis, all checks, some examples."""

from tests.hostile.contract import check
from tests.server import Server

EXAMPLES = 30


def test_the_service_keeps_to_its_description(server: Server) -> None:
    ended = check(server.url, EXAMPLES)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "5 selected / 5 total" in ended.stdout
