"""Schedule expressions: `rate(5 minutes)` and `cron(0 10 ? * MON-FRI *)`, in UTC.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from helpers.offline.kernel import AwsError

CLOCK_TAG, FASTEST_CLOCK = "offline-clock-factor", 600.0
UNITS = {"minute": 60, "hour": 3600, "day": 86_400}
MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)}


@dataclass(frozen=True, slots=True)
class Rate:
    period_s: float


@dataclass(frozen=True, slots=True)
class Cron:
    """Minutes, hours, days of the month, months, days of the week (1 is Sunday), years: the text of each field."""

    minutes: str
    hours: str
    days: str
    months: str
    weekdays: str
    years: str

    def matches(self, moment: datetime) -> bool:
        """Whether it is due in the minute of `moment` (UTC)."""
        return (
            moment.minute in _numbers(self.minutes, 0, 59)
            and moment.hour in _numbers(self.hours, 0, 23)
            and moment.month in _numbers(self.months, 1, 12, MONTHS)
            and moment.year in _numbers(self.years, 1970, 2199)
            and (self.days == "?" or moment.day in _days_of_month(self.days, moment.year, moment.month))
            and (self.weekdays == "?" or moment.day in _days_by_week(self.weekdays, moment.year, moment.month))
        )


def parsed(expression: str) -> Rate | Cron:
    """Raises AwsError ValidationException for what is no schedule."""
    found = _rate(expression) or _cron(expression)
    if found is None:
        raise AwsError("ValidationException", "Parameter ScheduleExpression is not valid.")
    return found


def _rate(expression: str) -> Rate | None:
    match = re.fullmatch(r"rate\(([1-9]\d*) (minute|hour|day)(s?)\)", expression)
    if match is None or (match[1] == "1") == (match[3] == "s"):
        return None
    return Rate(int(match[1]) * UNITS[match[2]])


def _cron(expression: str) -> Cron | None:
    match = re.fullmatch(r"cron\((.+)\)", expression)
    fields = match[1].split() if match else []
    if len(fields) != 6:
        return None
    cron = Cron(*(field.upper() for field in fields))
    if (cron.days == "?") == (cron.weekdays == "?"):  # one of the two says nothing
        return None
    try:
        for text, least, most, names in (
            (cron.minutes, 0, 59, {}),
            (cron.hours, 0, 23, {}),
            (cron.months, 1, 12, MONTHS),
            (cron.years, 1970, 2199, {}),
        ):
            _numbers(text, least, most, names)
        if cron.days != "?":
            _days_of_month(cron.days, 2024, 1)
        if cron.weekdays != "?":
            _days_by_week(cron.weekdays, 2024, 1)
    except ValueError:
        return None
    return cron


def _numbers(text: str, least: int, most: int, names: dict[str, int] | None = None) -> set[int]:
    """`1,2`, `1-5`, `*/15`, `5/10`, `*`. Raises ValueError."""

    def number(part: str) -> int:
        value = (names or {}).get(part)
        value = int(part) if value is None else value
        if not least <= value <= most:
            raise ValueError(part)
        return value

    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        if span == "*":
            first, last = least, most
        elif "-" in span:
            first, last = map(number, span.split("-", 1))
        else:
            first = number(span)
            last = most if slash else first
        if slash and int(step) < 1:
            raise ValueError(part)
        if first > last:  # FRI-MON goes around
            found |= set(range(first, most + 1)) | set(range(least, last + 1))
        else:
            found |= set(range(first, last + 1, int(step) if slash else 1))
    return found


def _days_of_month(text: str, year: int, month: int) -> set[int]:
    length = calendar.monthrange(year, month)[1]
    if text == "L":
        return {length}
    nearest = re.fullmatch(r"(\d{1,2})W|LW", text)
    if nearest:
        wanted = length if text == "LW" else min(int(nearest[1]), length)
        if text != "LW" and not 1 <= int(nearest[1]) <= 31:
            raise ValueError(text)
        return {_nearest_working_day(year, month, wanted, length)}
    return _numbers(text, 1, 31)


def _nearest_working_day(year: int, month: int, day: int, length: int) -> int:
    weekday = calendar.weekday(year, month, day)
    if weekday == calendar.SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == calendar.SUNDAY:
        return day + 1 if day < length else day - 2
    return day


def _days_by_week(text: str, year: int, month: int) -> set[int]:
    """The days of the month that fall on the wanted days of the week."""
    length = calendar.monthrange(year, month)[1]
    of_week: dict[int, list[int]] = {number: [] for number in range(1, 8)}
    for day in range(1, length + 1):
        of_week[(calendar.weekday(year, month, day) + 1) % 7 + 1].append(day)
    if text == "L":
        return set(of_week[7])
    last = re.fullmatch(r"(\w+)L", text)
    if last and (last[1] in DAYS or last[1].isdigit()):
        (number,) = _numbers(last[1], 1, 7, DAYS)
        return {of_week[number][-1]}
    nth = re.fullmatch(r"(\w+)#([1-5])", text)
    if nth:
        (number,) = _numbers(nth[1], 1, 7, DAYS)
        found = of_week[number]
        return set(found[int(nth[2]) - 1 : int(nth[2])])
    return {day for number in _numbers(text, 1, 7, DAYS) for day in of_week[number]}


def minute_of(now: float) -> datetime:
    return datetime.fromtimestamp(now // 60 * 60, UTC)


def next_rate(due: float, now: float, rate: Rate) -> float:
    """The first moment after `now` in the rhythm of `due`: what was missed is not made up for."""
    passed = int((now - due) // rate.period_s) + 1
    return due + max(passed, 1) * rate.period_s
