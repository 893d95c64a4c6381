"""The metrics in a PromQL expression, and the labels that it needs of each."""

import re
from typing import Any, NamedTuple

import promql_parser as promql

# Labels that Prometheus adds to every sample.
SCRAPED = {"job", "instance"}
# Values for the variables of Grafana.
_VARIABLES = {"$__rate_interval": "5m", "$job": "emotions", "$instance": "127.0.0.1:8000"}


class Selector(NamedTuple):
    """A metric, with the labels by which its samples are selected or grouped."""

    metric: str
    labels: frozenset[str]


def selectors(expression: str) -> set[Selector]:
    """Parse an expression.

    Raises:
        ValueError: it is not PromQL.
    """
    for variable, value in _VARIABLES.items():
        expression = expression.replace(variable, value)
    if unknown := re.findall(r"\$\w+", expression):
        raise ValueError(f"unknown variables {unknown}")
    found: set[Selector] = set()
    _walk(promql.parse(expression), frozenset(), found)
    return found


def _walk(node: Any, grouped: frozenset[str], found: set[Selector]) -> None:
    if isinstance(node, promql.MatrixSelector):
        _walk(node.vector_selector, grouped, found)
    elif isinstance(node, promql.VectorSelector):
        if node.matchers.or_matchers or node.name is None:
            raise ValueError(f"name the metric: {node}")
        matched = {matcher.name for matcher in node.matchers.matchers}
        found.add(Selector(node.name, grouped | matched))
    elif isinstance(node, promql.AggregateExpr):
        by = set(node.modifier.labels) if node.modifier else set()
        _walk(node.expr, grouped | by, found)
    elif isinstance(node, promql.BinaryExpr):
        matching = node.modifier and node.modifier.matching
        on = frozenset(matching.labels) if matching else frozenset()
        _walk(node.lhs, grouped | on, found)
        _walk(node.rhs, grouped | on, found)
    elif isinstance(node, promql.Call):
        for argument in node.args:
            _walk(argument, grouped, found)
    elif isinstance(node, promql.ParenExpr | promql.UnaryExpr | promql.SubqueryExpr):
        _walk(node.expr, grouped, found)
