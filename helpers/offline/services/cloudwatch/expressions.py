"""Metric math: numbers, time series and arrays of time series, by CloudWatch's functions.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import ast
import itertools
import math
import operator
import re
import statistics
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from helpers.offline.kernel import AwsError

Series = dict[int, float]  # start of the period -> value
Value = float | Series | list[Series]

BINARY: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.And: lambda left, right: bool(left) and bool(right),
    ast.Or: lambda left, right: bool(left) or bool(right),
}
OF_ONE: dict[str, Callable[[float], float]] = {
    "ABS": abs,
    "CEIL": math.ceil,
    "FLOOR": math.floor,
    "LOG": math.log,
    "LOG10": math.log10,
}
OF_MANY: dict[str, Callable[[list[float]], float]] = {
    "AVG": statistics.fmean,
    "MAX": max,
    "MIN": min,
    "SUM": math.fsum,
    "STDDEV": statistics.pstdev,
}
OF_TIME: dict[str, Callable[[datetime], int]] = {
    "MINUTE": lambda moment: moment.minute,
    "HOUR": lambda moment: moment.hour,
    "DAY": lambda moment: moment.isoweekday(),
    "DATE": lambda moment: moment.day,
    "MONTH": lambda moment: moment.month,
    "YEAR": lambda moment: moment.year,
    "EPOCH": lambda moment: int(moment.timestamp()),
}
SPECIAL = {"METRICS", "METRIC_COUNT", "DATAPOINT_COUNT", "FILL", "IF", "RATE", "DIFF", "DIFF_TIME", "PERIOD"}
SPECIAL |= {"RUNNING_SUM", "TIME_SERIES"}
FUNCTIONS = SPECIAL | OF_ONE.keys() | OF_MANY.keys() | OF_TIME.keys()
NOT_OFFLINE = {"SEARCH", "SELECT", "ANOMALY_DETECTION_BAND", "INSIGHT_RULE_METRIC", "LAMBDA", "DB_PERF_INSIGHTS"}
NOT_OFFLINE |= {"FIRST", "LAST", "SORT", "SLICE", "REMOVE_EMPTY", "SERVICE_QUOTA"}


def parsed(expression: str) -> ast.expr:
    """Raises AwsError: NotImplemented for functions that only AWS has, ValidationError for what is no expression."""
    asked = re.match(r"\s*([A-Z_]+)\b", expression)
    if asked and asked[1] in NOT_OFFLINE:
        raise AwsError("NotImplemented", f"The offline AWS's metric math does not know {asked[1]}.", 501)
    text = expression.replace("^", "**").replace("&&", " and ").replace("||", " or ")
    text = re.sub(r"\bAND\b", "and", re.sub(r"\bOR\b", "or", text))
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise AwsError("ValidationError", f"Error in expression: Syntax error in {expression}") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
            if name in NOT_OFFLINE:
                raise AwsError("NotImplemented", f"The offline AWS's metric math does not know {name}.", 501)
            if name not in FUNCTIONS or node.keywords:
                raise AwsError("ValidationError", f"Error in expression: Unsupported function {name}")
    return tree


def names_in(expression: str) -> set[str]:
    """The Ids of queries that the expression names. Raises AwsError as `parsed` does."""
    found: set[str] = set()
    for node in ast.walk(parsed(expression)):
        if isinstance(node, ast.Name) and node.id not in FUNCTIONS | {"REPEAT", "LINEAR"}:
            found.add(node.id)
    return found


def evaluate(
    expression: str, by_id: Mapping[str, Mapping[int, float]], *, period_s: int = 60, metrics: Iterable[str] = ()
) -> Series:
    """The expression's values by the start of their period.

    Parameters
    ----------
    by_id : the values of the queries that may be named
    metrics : the Ids that METRICS() stands for: those of metrics, not of expressions

    Raises AwsError where the expression cannot be evaluated or is not a time series.
    """
    known = {name: dict(series) for name, series in by_id.items()}
    for name in sorted(names_in(expression) - known.keys()):
        raise AwsError("ValidationError", f"Error in expression: {name} is not the Id of a query.")
    calculation = _Calculation(known, period_s, [known[name] for name in metrics if name in known])
    value = calculation.value(parsed(expression))
    if not isinstance(value, dict):
        raise AwsError("ValidationError", f"Error in expression: {expression} must give one time series.")
    return value


class _Calculation:
    def __init__(self, by_id: Mapping[str, Series], period_s: int, metrics: list[Series]) -> None:
        self.by_id = by_id
        self.period_s = period_s
        self.metrics = metrics

    def value(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id=name) if name in self.by_id:
                return self.by_id[name]
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return [self._series(self.value(one), one) for one in elements]
            case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
                return _combined(BINARY[type(op)], self.value(left), self.value(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in BINARY:
                return _combined(BINARY[type(op)], self.value(left), self.value(right))
            case ast.BoolOp(op=op, values=[first, *others]):
                found = self.value(first)
                for one in others:
                    found = _combined(BINARY[type(op)], found, self.value(one))
                return found
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _mapped(operator.neg, self.value(operand))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._call(name, arguments)
        raise AwsError("ValidationError", f"Error in expression: {ast.unparse(node)} is not metric math.")

    def _call(self, name: str, arguments: list[ast.expr]) -> Value:
        if name == "METRICS":
            return self.metrics
        needed = {"IF": (2, 3), "FILL": (2, 2)}.get(name, (1, 1))
        if not needed[0] <= len(arguments) <= needed[1]:
            raise AwsError("ValidationError", f"Error in expression: {name} does not take {len(arguments)} arguments.")
        if name == "IF":
            return self._if([self.value(one) for one in arguments])
        given = self.value(arguments[0])
        if name == "FILL":
            return self._fill(given, arguments[1])
        if name in OF_MANY:
            return _aggregated(OF_MANY[name], given)
        if name in OF_ONE:
            return _mapped(OF_ONE[name], given)
        if name == "METRIC_COUNT":
            return float(len(given)) if isinstance(given, list) else 1.0
        if isinstance(given, list):
            return [self._of_series(name, one) for one in given]  # type: ignore[misc]
        if name == "TIME_SERIES" and isinstance(given, float):
            return {stamp: given for series in self.by_id.values() for stamp in series}
        return self._of_series(name, self._series(given, arguments[0]))

    def _of_series(self, name: str, series: Series) -> float | Series:
        ordered = sorted(series.items())
        pairs = list(itertools.pairwise(ordered))
        match name:
            case "PERIOD":
                return float(self.period_s)
            case "DATAPOINT_COUNT":
                return float(len(series))
            case "DIFF":
                return {later[0]: later[1] - earlier[1] for earlier, later in pairs}
            case "DIFF_TIME":
                return {later[0]: float(later[0] - earlier[0]) for earlier, later in pairs}
            case "RATE":
                return {later[0]: (later[1] - earlier[1]) / (later[0] - earlier[0]) for earlier, later in pairs}
            case "RUNNING_SUM":
                total, found = 0.0, {}
                for stamp, value in ordered:
                    total += value
                    found[stamp] = total
                return found
            case "TIME_SERIES":
                return series
        return {stamp: float(OF_TIME[name](datetime.fromtimestamp(stamp, UTC))) for stamp in series}

    def _if(self, given: list[Value]) -> Value:
        """IF(condition, then, else); without an else, periods whose condition is 0 have no value."""
        condition, then, *otherwise = given
        if isinstance(condition, float):
            return then if condition else (otherwise[0] if otherwise else {})
        if isinstance(condition, list):
            raise AwsError("ValidationError", "Error in expression: the condition of IF must be one time series.")
        found: Series = {}
        for stamp, holds in condition.items():
            chosen: Value = then if holds else (otherwise[0] if otherwise else {})
            value = chosen if isinstance(chosen, float) else chosen.get(stamp) if isinstance(chosen, dict) else None
            if value is not None:
                found[stamp] = value
        return found

    def _fill(self, given: Value, how: ast.expr) -> Value:
        if isinstance(given, list):
            return [self._fill(one, how) for one in given]  # type: ignore[misc]
        series = self._series(given, how)
        stamps = sorted({stamp for one in self.by_id.values() for stamp in one} | series.keys())
        if stamps:
            stamps = list(range(stamps[0], stamps[-1] + 1, self.period_s))
        if isinstance(how, ast.Name) and how.id in ("REPEAT", "LINEAR"):
            return _repeated(series, stamps) if how.id == "REPEAT" else _interpolated(series, stamps)
        with_what = self.value(how)
        if isinstance(with_what, float):
            return {stamp: series.get(stamp, with_what) for stamp in stamps}
        return {**self._series(with_what, how), **series}

    def _series(self, value: Value, node: ast.expr) -> Series:
        if isinstance(value, dict):
            return value
        raise AwsError("ValidationError", f"Error in expression: {ast.unparse(node)} is not a time series.")


def _repeated(series: Series, stamps: list[int]) -> Series:
    found: Series = {}
    for stamp in stamps:
        last = series.get(stamp, found.get(max(found)) if found else None)
        if last is not None:
            found[stamp] = last
    return found


def _interpolated(series: Series, stamps: list[int]) -> Series:
    """Between two known values; before the first and after the last there is nothing to go by."""
    known = sorted(series)
    found: Series = {}
    for stamp in stamps:
        before = [one for one in known if one <= stamp]
        after = [one for one in known if one >= stamp]
        if before and after:
            left, right = before[-1], after[0]
            share = (stamp - left) / (right - left) if right > left else 0.0
            found[stamp] = series[left] + share * (series[right] - series[left])
    return found


def _calculated(function: Callable[..., Any], *values: float) -> float | None:
    """None where the result is none: a division by zero, a logarithm of nothing."""
    try:
        result = float(function(*values))
    except (ZeroDivisionError, ValueError, OverflowError, TypeError):
        return None
    return result if math.isfinite(result) else None


def _mapped(function: Callable[[float], float], given: Value) -> Value:
    if isinstance(given, list):
        return [_mapped(function, one) for one in given]  # type: ignore[misc]
    if isinstance(given, dict):
        pairs = ((stamp, _calculated(function, value)) for stamp, value in given.items())
        return {stamp: value for stamp, value in pairs if value is not None}
    result = _calculated(function, given)
    return math.nan if result is None else result


def _combined(function: Callable[[Any, Any], Any], left: Value, right: Value) -> Value:
    """Period by period; a number counts for every period, an array goes one by one."""
    if isinstance(left, list):
        if isinstance(right, list):
            raise AwsError("ValidationError", "Error in expression: two arrays of time series cannot be combined.")
        return [_combined(function, one, right) for one in left]  # type: ignore[misc]
    if isinstance(right, list):
        return [_combined(function, left, one) for one in right]  # type: ignore[misc]
    if isinstance(left, float) and isinstance(right, float):
        result = _calculated(function, left, right)
        return math.nan if result is None else result
    stamps: Iterable[int]
    if isinstance(left, dict) and isinstance(right, dict):
        stamps = left.keys() & right.keys()
    else:
        stamps = left if isinstance(left, dict) else right  # type: ignore[assignment]
    found: Series = {}
    for stamp in stamps:
        value = _calculated(
            function,
            left[stamp] if isinstance(left, dict) else left,
            right[stamp] if isinstance(right, dict) else right,
        )
        if value is not None:
            found[stamp] = value
    return found


def _aggregated(function: Callable[[list[float]], float], given: Value) -> Value:
    """One series becomes a number, an array one series."""
    if isinstance(given, list):
        stamps = {stamp for series in given for stamp in series}
        return {stamp: function([series[stamp] for series in given if stamp in series]) for stamp in stamps}
    if isinstance(given, dict):
        return function(list(given.values())) if given else math.nan
    return given
