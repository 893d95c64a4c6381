"""A prefix of paths, and slashes too many."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from service.http.paths import Paths
from service.settings import Settings


@pytest.mark.parametrize(
    ("given_", "root_path"), [("", ""), ("/", ""), ("a", "/a"), ("/a/", "/a"), ("/a/b", "/a/b")]
)
def test_a_prefix_needs_no_slashes(given_: str, root_path: str) -> None:
    assert Settings(root_path=given_).root_path == root_path


@pytest.mark.parametrize("wrong", ["//a//b", '"><script>', "a?b", "http://a", "/a b"])
def test_a_prefix_that_is_no_path_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="root_path"):
        Settings(root_path=wrong)


async def reduced(root_path: str, sent: str) -> str:
    """Return the path that the routes see."""
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
        seen.append(scope["path"].removeprefix(scope["root_path"]))

    async def nothing(*_: object) -> None:
        pass

    await Paths(app, root_path)({"type": "http", "path": sent}, nothing, nothing)  # type: ignore[arg-type]
    return seen[0]


prefixes = st.sampled_from(["", "/emotions", "/a/b"])
slashes = st.integers(0, 3).map(lambda count: "/" * count)


@given(
    prefix=prefixes,
    path=st.sampled_from(["/v1/emotions", "/livez", "/static/page.js", "/"]),
    removed=st.booleans(),
    before=slashes,
    after=slashes,
)
async def test_every_spelling_of_a_path_is_that_path(
    prefix: str, path: str, removed: bool, before: str, after: str
) -> None:
    sent = before + ("" if removed else prefix) + path + after
    assert await reduced(prefix, sent) == path


@given(prefix=prefixes, before=slashes, after=slashes, removed=st.booleans())
async def test_metrics_have_one_spelling(
    prefix: str, before: str, after: str, removed: bool
) -> None:
    sent = before + ("" if removed else prefix) + "/metrics" + after
    assert (await reduced(prefix, sent) == "/metrics") == (sent == "/metrics")
