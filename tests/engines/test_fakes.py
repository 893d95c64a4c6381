"""The fake `tensorrt` has nothing that the real ones of 10 and 11 have not, or call otherwise."""

import ast
import inspect
from collections.abc import Iterator

import pytest

from tests.engines.backends import fake_tensorrt
from tests.stubs import MAJORS, STUBS

# Ours alone, in classes that are TensorRT's.
OWN = {
    "ICudaEngine": {"machine", "profiles", "session", "inputs", "outputs", "tensors"},
    "INetworkDefinition": {"model"},
}
Parameters = tuple[str, ...]


def real(major: str) -> dict[str, dict[str, list[Parameters]]]:
    """Members of each class of the bindings; parameters of each overload, none of an attribute."""
    path = STUBS / major / "tensorrt" / "__init__.pyi"
    if not path.is_file():
        pytest.skip("no types of TensorRT here; `python -m tests.stubs` makes them")
    classes: dict[str, dict[str, list[Parameters]]] = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            members = classes.setdefault(node.name, {})
            for name, parameters in _members(node):
                members.setdefault(name, []).append(parameters)
    return classes


def _members(node: ast.ClassDef) -> Iterator[tuple[str, Parameters]]:
    for item in node.body:
        if isinstance(item, ast.FunctionDef):
            yield item.name, tuple(a.arg for a in (*item.args.posonlyargs, *item.args.args))[1:]
        elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            yield item.target.id, ()


def fakes() -> Iterator[tuple[str, str, Parameters | None]]:
    """Class, member and parameters of all that the fake offers."""
    for name, kind in inspect.getmembers(fake_tensorrt, inspect.isclass):
        if kind.__module__ != fake_tensorrt.__name__:
            continue
        for member, value in vars(kind).items():
            if member.startswith("_") or member in OWN.get(name, ()):
                continue
            called = inspect.isfunction(value)
            yield name, member, tuple(inspect.signature(value).parameters)[1:] if called else None


@pytest.mark.parametrize("major", MAJORS)
def test_every_call_made_of_the_fake_is_one_of_the_real_ones(major: str) -> None:
    classes = real(major)
    for kind, member, parameters in fakes():
        overloads = classes[kind].get(member)
        assert overloads is not None, f"{kind}.{member}"
        if parameters is not None:
            accepted = {overload[: len(parameters)] for overload in overloads}
            assert parameters in accepted, f"{kind}.{member}{parameters}"
