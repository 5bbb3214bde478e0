"""Teardown: delete everything of this participant, by name and by tag, and prove by listing that nothing is left."""

import time
from collections.abc import Iterator

from botocore.exceptions import BotoCoreError, ClientError

from helpers.resources.belongings import KINDS, Item, Kind, tagged_arns
from helpers.workshop import Workshop

LONGEST_WAIT_S = 180  # an endpoint or a stream takes a minute or two to go on AWS
LONGEST_LINE = 60  # characters of names in one line of the report
SIGNS_OF_GONE = ("NotFound", "NoSuch", "Could not find", "does not exist")


def run(ws: Workshop, names: bool = False) -> int:
    """Delete what is yours in every region you used, and go on past what is gone. Prints and counts what it deleted.

    Parameters
    ----------
    names : print all names; else a long list is cut after its first
    """
    deleted = 0
    for region, tagged, kind in _everything(ws):
        gone = [item.name for item in _owned(ws, region, tagged, kind) if _delete(ws, region, kind, item)]
        if gone:
            print(f"{len(gone):3} {kind.label + ('s' if len(gone) > 1 else ''):24} {_listed(ws, gone, names)}")
            deleted += len(gone)
        if kind.slow and gone:
            _wait_until_gone(ws, region, tagged, kind)
    ws.roles_ready.clear()
    print(f"{deleted} resources deleted.")
    return deleted


def left(ws: Workshop) -> list[str]:
    """What a new listing still finds of yours, one line each."""
    return [
        f"{kind.label} {item.name} in {region}"
        for region, tagged, kind in _everything(ws)
        for item in _owned(ws, region, tagged, kind)
    ]


def prove(ws: Workshop) -> bool:
    """List every kind of resource again, and say whether anything of yours is left."""
    remaining = left(ws)
    for line in remaining:
        print(f"left: {line}")
    if not remaining:
        print(f"Nothing is left of {ws.prefix}*: every kind of resource was listed again, in every region you used.")
    return not remaining


def _everything(ws: Workshop) -> Iterator[tuple[str, list[str], Kind]]:
    for region in ws.regions:
        tagged = tagged_arns(ws, region)
        for kind in KINDS:
            if not kind.worldwide:
                yield region, tagged, kind
    for kind in KINDS:
        if kind.worldwide:
            yield ws.region, tagged_arns(ws, ws.region), kind


def _owned(ws: Workshop, region: str, tagged: list[str], kind: Kind) -> list[Item]:
    """What is yours of one kind. A listing that is refused is an error of its own: silence would read as "nothing"."""
    try:
        return kind.owned(ws, region, tagged)
    except ClientError as error:
        if ws.offline and error.response["Error"]["Code"] == "NotImplemented":
            return []  # what the offline AWS does not support cannot have been made there
        error.add_note(f"Teardown could not list your {kind.label}s in {region}, so it cannot say what is left.")
        raise


def _delete(ws: Workshop, region: str, kind: Kind, item: Item) -> bool:
    try:
        kind.delete(ws, region, item.id)
        return True
    except (ClientError, BotoCoreError) as error:
        if not any(sign in str(error) for sign in SIGNS_OF_GONE):
            print(f"    {kind.label} {_short(ws, item.name)} could not be deleted: {error}")
        return False


def _wait_until_gone(ws: Workshop, region: str, tagged: list[str], kind: Kind) -> None:
    deadline = time.monotonic() + LONGEST_WAIT_S
    while kind.owned(ws, region, tagged) and time.monotonic() < deadline:
        time.sleep(0.2 if ws.offline else 3)


def _listed(ws: Workshop, gone: list[str], whole: bool) -> str:
    """The names as one line; cut where it would be too long to read."""
    short = [_short(ws, name) for name in gone]
    kept = short
    while not whole and len(kept) > 1 and len(", ".join(kept)) > LONGEST_LINE:
        kept = kept[:-1]
    return ", ".join(kept) + (f" and {len(short) - len(kept)} more" if len(kept) < len(short) else "")


def _short(ws: Workshop, name: str) -> str:
    """A name without the participant's prefix, as a person reads it."""
    position = name.lower().find(ws.prefix)
    return name[position:].replace(ws.prefix, "") if position >= 0 else name
