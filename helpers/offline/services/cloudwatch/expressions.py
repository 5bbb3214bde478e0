"""Metric math: arithmetic over the other queries' values, period by period."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping

from helpers.offline.kernel import AwsError

BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
FUNCTIONS: dict[str, Callable[..., float]] = {"ABS": abs, "MAX": max, "MIN": min}


def evaluate(expression: str, by_id: Mapping[str, Mapping[int, float]]) -> dict[int, float]:
    """The expression's value for every period in which all the metrics it names have one.

    Raises AwsError: ValidationError for what is no expression, NotImplemented for metric-math functions beyond
    arithmetic, ABS, MAX and MIN, and for Metrics Insights (SELECT).
    """
    try:
        tree = ast.parse(expression.replace("^", "**"), mode="eval").body
    except SyntaxError:
        raise AwsError("NotImplemented", f"The offline AWS cannot evaluate the expression {expression}.", 501) from None
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - FUNCTIONS.keys()
    for name in sorted(names - by_id.keys()):
        raise AwsError("ValidationError", f"Error in expression: {name} is not the Id of a query.")
    if not names:
        raise AwsError("ValidationError", f"The expression {expression} names no query.")
    stamps = set.intersection(*(set(by_id[name]) for name in names))
    found = {}
    for stamp in stamps:
        try:
            found[stamp] = float(value_of(tree, {name: by_id[name][stamp] for name in names}))
        except ZeroDivisionError:
            continue
    return found


def value_of(node: ast.expr, values: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name):
            return values[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            return BINARY[type(op)](value_of(left, values), value_of(right, values))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -value_of(operand, values)
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in FUNCTIONS:
            given = [value_of(one, values) for one in arguments]
            return FUNCTIONS[name](*given) if name == "ABS" or len(given) > 1 else given[0]
    raise AwsError("NotImplemented", f"The offline AWS's metric math does not know {ast.unparse(node)}.", 501)
