"""Every class and method of the fake `tensorrt` is in the real bindings of 10 and 11."""

import ast
import inspect
from collections.abc import Iterator

import pytest

from tests.engines.backends import fake_tensorrt
from tests.stubs import MAJORS, STUBS

# Attributes of the fake that TensorRT's classes lack.
OWN = {
    "ICudaEngine": {"machine", "profiles", "session", "inputs", "outputs", "tensors", "works"},
    "INetworkDefinition": {"model"},
    "Runtime": {"machine"},
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
    """Yield class, member and parameters of everything in the fake."""
    for name, kind in inspect.getmembers(fake_tensorrt, inspect.isclass):
        if not kind.__module__.startswith(fake_tensorrt.__name__):
            continue
        for member, value in vars(kind).items():
            if member.startswith("_") or member in OWN.get(name, ()):
                continue
            called = inspect.isfunction(value)
            yield name, member, tuple(inspect.signature(value).parameters)[1:] if called else None


@pytest.mark.parametrize("major", MAJORS)
def test_every_method_of_the_fake_exists_in_the_real_bindings(major: str) -> None:
    classes = real(major)
    for kind, member, parameters in fakes():
        overloads = classes[kind].get(member)
        assert overloads is not None, f"{kind}.{member}"
        if parameters is not None:
            accepted = {overload[: len(parameters)] for overload in overloads}
            assert parameters in accepted, f"{kind}.{member}{parameters}"
