"""Schedules say when, and rules with a schedule then send."""

from datetime import UTC, datetime, timedelta

import pytest

from helpers.offline.kernel import AwsError, Kernel, Workspace
from helpers.offline.services import sqs
from helpers.offline.services.events import schedule
from helpers.offline.services.events.bus import Bus

# Expression -> the first moments after Friday, 30 January 2026, 12:00 UTC.
CRONS = [
    ("cron(0 10 * * ? *)", ["2026-01-31 10:00", "2026-02-01 10:00"]),
    ("cron(15 12 * * ? *)", ["2026-01-30 12:15", "2026-01-31 12:15"]),
    ("cron(0 18 ? * MON-FRI *)", ["2026-01-30 18:00", "2026-02-02 18:00"]),
    ("cron(0 8 1 * ? *)", ["2026-02-01 08:00", "2026-03-01 08:00"]),
    ("cron(0/15 * * * ? *)", ["2026-01-30 12:15", "2026-01-30 12:30"]),
    ("cron(0/10 * ? * MON-FRI *)", ["2026-01-30 12:10", "2026-01-30 12:20"]),
    ("cron(5,10 13 * JAN,feb ? 2026)", ["2026-01-30 13:05", "2026-01-30 13:10"]),
    ("cron(0 0 L * ? *)", ["2026-01-31 00:00", "2026-02-28 00:00"]),
    ("cron(0 0 LW * ? *)", ["2026-02-27 00:00"]),  # 31 January 2026 is a Saturday: its LW is the day before, past
    ("cron(0 0 1W * ? *)", ["2026-02-02 00:00"]),  # 1 February 2026 is a Sunday
    ("cron(0 0 ? * 6L *)", ["2026-02-27 00:00"]),
    ("cron(0 0 ? * MON#1 *)", ["2026-02-02 00:00", "2026-03-02 00:00"]),
    ("cron(0 0 ? * FRI-MON *)", ["2026-01-31 00:00", "2026-02-01 00:00", "2026-02-02 00:00", "2026-02-06 00:00"]),
]


@pytest.mark.parametrize(("expression", "expected"), CRONS, ids=[row[0] for row in CRONS])
def test_when_a_cron_is_due(expression, expected):
    cron = schedule.parsed(expression)
    moment, found = datetime(2026, 1, 30, 12, tzinfo=UTC), []
    while len(found) < len(expected):
        moment += timedelta(minutes=5)
        if cron.matches(moment):
            found.append(f"{moment:%Y-%m-%d %H:%M}")
    assert found == expected


@pytest.mark.parametrize(
    "expression",
    [
        "rate(0 minutes)", "rate(1 minutes)", "rate(5 minute)", "rate(5 seconds)", "rate(-1 days)", "every 5 minutes",
        "cron(0 10 * * * *)", "cron(0 10 ? * ? *)", "cron(0 10 * * ?)", "cron(60 10 * * ? *)", "cron(0 24 * * ? *)",
        "cron(0 10 32 * ? *)", "cron(0 10 ? * 8 *)", "cron(0 10 * 13 ? *)", "cron(0/0 10 * * ? *)",
        "cron(a 10 * * ? *)", "cron(0 10 ? * MON#6 *)", "cron(0 10 * * ? 1969)", "at(2026-01-01T00:00:00)", "",
    ],
)  # fmt: skip
def test_what_is_no_schedule(expression):
    with pytest.raises(AwsError, match="ScheduleExpression is not valid"):
        schedule.parsed(expression)


@pytest.mark.parametrize(
    ("text", "seconds"), [("1 minute", 60), ("5 minutes", 300), ("2 hours", 7200), ("1 day", 86_400)]
)
def test_rates(text, seconds):
    assert schedule.parsed(f"rate({text})") == schedule.Rate(seconds)


class Clockwork:
    """The services themselves, without their server, in an account of their own; time is what the test says."""

    def __init__(self, directory, account):
        from moto.events.models import events_backends
        from moto.sqs.models import sqs_backends

        from helpers.offline.kernel import Credentials

        self.kernel = Kernel(Workspace(directory, Credentials("key", "secret")), "http://127.0.0.1", account)
        self.kernel.ports.queues = sqs.Queues(self.kernel)
        self.bus = Bus(self.kernel)
        self.events = events_backends[account]["us-east-1"]
        self.queues = sqs_backends[account]["us-east-1"]
        self.queue = self.queues.create_queue("ticks", Policy=self.policy(account))

    @staticmethod
    def policy(account):
        return (
            '{"Statement": [{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, '
            f'"Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:us-east-1:{account}:ticks"}}]}}'
        )

    def rule(self, expression):
        self.events.put_rule("ticks", scheduled_expression=expression)
        self.events.put_targets("ticks", None, [{"Id": "1", "Arn": self.queue.queue_arn}])

    def at(self, moment):
        """How many messages the queue has after this moment."""
        self.bus.tick_schedules(moment.timestamp())
        return len(self.queue.messages)


@pytest.fixture
def clockwork(tmp_path, request):
    return Clockwork(tmp_path, f"{abs(hash(request.node.name)) % 10**12:012d}")


START = datetime(2026, 1, 30, 12, 0, 0, tzinfo=UTC)


def after(seconds):
    return START + timedelta(seconds=seconds)


def test_a_rate_counts_from_the_rules_making_and_makes_up_for_nothing(clockwork):
    clockwork.rule("rate(5 minutes)")
    assert [clockwork.at(after(s)) for s in (0, 299, 300, 301, 599, 600)] == [0, 0, 1, 1, 1, 2]
    assert clockwork.at(after(3605)) == 3  # asleep for an hour
    assert [clockwork.at(after(s)) for s in (3899, 3900)] == [3, 4]


def test_a_cron_is_due_once_in_its_minute(clockwork):
    clockwork.rule("cron(0/2 12 * * ? *)")
    assert [clockwork.at(after(s)) for s in (0, 30, 60, 119, 120, 121, 179, 240)] == [0, 0, 0, 0, 1, 1, 1, 2]


def test_a_disabled_rule_keeps_no_time(clockwork):
    clockwork.rule("rate(1 minute)")
    clockwork.at(after(0))
    clockwork.events.disable_rule("ticks", None)
    assert clockwork.at(after(90)) == 0
    clockwork.events.enable_rule("ticks", None)
    assert [clockwork.at(after(s)) for s in (100, 159, 160)] == [0, 0, 1]


def test_what_a_scheduled_rule_sends(clockwork):
    import json

    clockwork.rule("rate(1 minute)")
    clockwork.at(after(0))
    clockwork.at(after(60))
    event = json.loads(clockwork.queue.messages[0].body)
    assert event.pop("id")
    arn = clockwork.events.event_buses["default"].rules["ticks"].arn
    assert event == {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": clockwork.kernel.account_id,
        "time": "2026-01-30T12:01:00Z",
        "region": "us-east-1",
        "resources": [arn],
        "detail": {},
    }
