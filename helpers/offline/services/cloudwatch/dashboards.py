"""PutDashboard's checks of a dashboard's body: errors refuse it, warnings come back with it.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
WIDGET_LIMIT = 500
# Type of a widget -> the properties that it needs.
NEEDED: dict[str, tuple[str, ...]] = {
    "metric": ("region",),
    "text": ("markdown",),
    "log": ("region", "query"),
    "alarm": ("alarms",),
    "explorer": (),
    "custom": ("endpoint",),
}
BOUNDS = {"x": (0, 23), "y": (0, None), "width": (1, 24), "height": (1, 1000)}
VIEWS = ("timeSeries", "singleValue", "gauge", "bar", "pie", "table")

Message = dict[str, str]  # DataPath and Message


def problems(body: str) -> list[Message]:
    """What is wrong with the body; empty where it is a dashboard."""
    try:
        dashboard = json.loads(body)
    except ValueError:
        return [_message("", "The field DashboardBody must be a valid JSON object")]
    if not isinstance(dashboard, dict):
        return [_message("", "The field DashboardBody must be a valid JSON object")]
    widgets = dashboard.get("widgets")
    if not isinstance(widgets, list):
        return [
            _message("/widgets", "Should have required property 'widgets'" if widgets is None else "Should be array")
        ]
    found = []
    if len(widgets) > WIDGET_LIMIT:
        found.append(_message("/widgets", f"Should NOT have more than {WIDGET_LIMIT} items"))
    for number, widget in enumerate(widgets):
        found += _widget(f"/widgets/{number}", widget)
    return found


def _widget(path: str, widget: Any) -> Iterator[Message]:
    if not isinstance(widget, dict):
        yield _message(path, "Should be object")
        return
    kind = widget.get("type")
    if kind is None:
        yield _message(path, "Should have required property 'type'")
    elif kind not in NEEDED:
        yield _message(f"{path}/type", f"Should be equal to one of the allowed values: {', '.join(NEEDED)}")
    for name, (least, most) in BOUNDS.items():
        value = widget.get(name)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool):
            yield _message(f"{path}/{name}", "Should be integer")
        elif value < least or (most is not None and value > most):
            yield _message(f"{path}/{name}", f"Should be {f'>= {least}' if value < least else f'<= {most}'}")
    properties = widget.get("properties")
    if not isinstance(properties, dict):
        yield _message(path, "Should have required property 'properties'")
        return
    for name in NEEDED.get(kind, ()):
        if name not in properties:
            yield _message(f"{path}/properties", f"Should have required property '{name}'")
    if kind == "metric":
        yield from _metric(f"{path}/properties", properties)


def _metric(path: str, properties: dict[str, Any]) -> Iterator[Message]:
    metrics = properties.get("metrics")
    if metrics is None and "annotations" not in properties:
        yield _message(path, "Should have required property 'metrics' or 'annotations'")
    if properties.get("view", "timeSeries") not in VIEWS:
        yield _message(f"{path}/view", f"Should be equal to one of the allowed values: {', '.join(VIEWS)}")
    if metrics is not None and not isinstance(metrics, list):
        yield _message(f"{path}/metrics", "Should be array")
        return
    for number, metric in enumerate(metrics or []):
        place = f"{path}/metrics/{number}"
        if not isinstance(metric, list) or not metric:
            yield _message(place, "Should be array")
            continue
        names = [part for part in metric if not isinstance(part, dict)]
        is_expression = not names and isinstance(metric[0], dict) and "expression" in metric[0]
        if not is_expression and (len(names) < 2 or len(names) % 2 or not all(isinstance(part, str) for part in names)):
            yield _message(place, "Should have a namespace, a metric's name and pairs of dimensions")


def _message(path: str, text: str) -> Message:
    return {"DataPath": path, "Message": text}
