"""The arena's pages as people use them."""

import dataclasses
import re

import pytest

from helpers.arena.board import PHONE_ROWS
from tests.arena.playing import QUICK, TOKEN, poll

LONGER = dataclasses.replace(QUICK, seconds=60)
PHONE = (390, 844)
EVIL = "<img src=x onerror=window.hacked=1>"


def until(page, expression):
    """Wait for the page; by asking it again, since its policy forbids scripts that wait inside it."""
    poll(lambda: page.evaluate(expression))


def at_rest(page):
    """What moved on the page has come to rest; the bar of the clock never does."""
    moving = "[...document.querySelectorAll('.row, .card, .banner')].flatMap(e => e.getAnimations({ subtree: true }))"
    until(page, f"{moving}.every(a => a.playState !== 'running')")


def seconds_shown(page):
    """What the page's countdown shows, in seconds."""
    minutes, seconds = page.locator("#clock").inner_text().split(":")
    return int(minutes) * 60 + int(seconds)


def enter(running, participants, count):
    for i in range(count):
        assert running.enter(f"{participants.url}/good/{i * 400}", f"player {i}")[0] == 201


def names(page, selector):
    return [e.inner_text() for e in page.locator(selector).all()]


def test_the_board_from_the_first_entry_to_the_podium(arena, participants, visit):
    running = arena(settings=dataclasses.replace(QUICK, seconds=8, hide_seconds=3))
    page = visit(running.url)
    page.get_by_text("Open for entries", exact=True).wait_for()
    enter(running, participants, 5)
    page.locator(".row .alias", has_text="player 4").wait_for()  # appears without a reload
    running.act("start")
    page.locator("#phase", has_text="live").wait_for()
    until(page, "document.querySelectorAll('.card:not(.is-empty)').length === 3")
    until(page, "document.querySelectorAll('.row .score').length >= 3")
    running.wait(lambda s: s["clock"] > 3)
    shown = names(page, ".card-alias") + names(page, ".grid .alias")
    assert len(shown) == 6  # five and the FC average
    assert re.fullmatch(r"0:0[0-7]", page.locator("#clock").inner_text())
    page.get_by_text("Results are locked").wait_for()
    frozen = names(page, ".card-score")
    running.wait(lambda s: s["finished"])
    page.get_by_text("The round is over. Who won?").wait_for()
    assert names(page, ".card-score") == frozen
    running.act("reveal")
    page.get_by_text("This is what happened after the lock").wait_for()
    page.get_by_text(re.compile(r" wins$|is the best of the room")).wait_for(timeout=40_000)
    rows = running.state()["rows"]
    assert names(page, ".card-alias") == [r["alias"] for r in rows[:3]]
    assert names(page, ".grid .alias") == [r["alias"] for r in rows[3:]]
    assert page.locator(".card.is-winner").count() == 1
    page.get_by_role("button", name="Play the reveal").wait_for()


def test_rows_move_when_ranks_do(arena, participants, visit):
    running = arena(settings=dataclasses.replace(LONGER, window=20, rate=40))
    enter(running, participants, 8)
    entry = running.store.entries()[1]
    page = visit(running.url)
    running.act("start")
    until(page, "document.querySelectorAll('.row').length === 6 && !document.querySelector('.row .sign-waiting')")
    assert "player 0" in names(page, ".card-alias")
    running.arena.engine.renew(running.store.change_entry(entry.id, url=f"{participants.url}/good/90000"))
    until(page, "document.querySelector('.grid li:last-child .alias').textContent === 'player 0'")


def test_what_is_wrong_with_an_entry_is_said_on_the_board(arena, participants, visit):
    running = arena(settings=LONGER)
    enter(running, participants, 5)
    entry = running.store.entries()[-1]
    running.arena.engine.renew(running.store.change_entry(entry.id, url=f"{participants.url}/status/502"))
    page = visit(running.url)
    running.act("start")
    row = page.locator(".row", has_text="player 4")
    row.get_by_text("HTTP error", exact=True).wait_for()
    assert row.locator(".sign-error").count() == 1


@pytest.mark.parametrize("path", ["", "phone", f"instructor#{TOKEN}"])
def test_names_are_text_on_every_page(arena, participants, visit, path):
    running = arena(settings=LONGER)
    enter(running, participants, 1)
    running.arena.engine.renew(running.store.change_entry(2, alias=EVIL))  # past the rules for names
    page = visit(running.url + path)
    page.get_by_text(EVIL).first.wait_for(state="attached")
    running.act("start")
    page.locator("#phase", has_text="live").wait_for()
    running.wait(lambda s: s["clock"] > 1)
    poll(lambda: seconds_shown(page) < LONGER.seconds)  # states of the live round have been drawn
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x]").count() == 0


def test_the_phone_shows_ones_own_place(arena, participants, visit):
    running = arena(settings=LONGER)
    enter(running, participants, 3)
    running.act("start")
    page = visit(running.url + "phone", PHONE)
    page.get_by_label("My entry", exact=True).last.select_option("player 1")
    until(page, "/^[1-4]\\.$/.test(document.getElementById('place').textContent)")
    assert page.locator("li.is-mine .alias").inner_text() == "player 1"
    page.reload()
    page.locator("#card").wait_for()  # remembered
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_phone_shows_the_top_and_ones_own_row_of_a_large_field(arena, visit):
    running = arena(settings=LONGER)
    for i in range(PHONE_ROWS + 20):
        entry = running.store.add_entry(f"player {i}", "", "baseline" if i % 2 else "learner", "")
        running.arena.engine.enter(entry)
    page = visit(running.url + "phone", PHONE)
    page.get_by_text("and 21 more, on the big screen").wait_for()
    assert page.locator("#list li").count() == PHONE_ROWS
    assert page.locator("#who option").count() == 1 + PHONE_ROWS // 2 + 10  # the learners, and the first line
    page.get_by_label("My entry", exact=True).last.select_option("player 48")
    page.locator("li.is-mine .alias", has_text="player 48").wait_for()
    page.get_by_text("and 20 more, on the big screen").wait_for()
    assert page.locator("#card").is_visible()
    assert len(running.call("GET", "api/state?view=phone&mine=player%2048")[1]["rows"]) == PHONE_ROWS


def test_one_enters_from_the_phone_and_is_told_what_is_wrong(arena, participants, visit):
    running = arena()
    page = visit(running.url + "phone", PHONE)
    page.get_by_text("Enter the arena").click()
    page.get_by_label("URL of your live-inference API").fill(f"{participants.url}/status/502")
    page.get_by_role("button", name="Enter").click()
    page.get_by_text("the function behind it failed").wait_for()
    page.get_by_label("URL of your live-inference API").fill(f"{participants.url}/good/0")
    page.get_by_label("Alias (leave empty to get one)").fill("Ada")
    page.get_by_role("button", name="Enter").click()
    page.get_by_text("You are in, as Ada.").wait_for()
    page.locator(".list .alias", has_text="Ada").wait_for()


def test_the_instructor_plays_a_round_by_hand(arena, participants, visit):
    running = arena(settings=LONGER)
    enter(running, participants, 2)
    page = visit(running.url + f"instructor#{TOKEN}", (1400, 1000))
    press = lambda name: page.get_by_role("button", name=name, exact=True).click()  # noqa: E731
    press("Start the round")
    assert TOKEN not in page.url
    page.locator("#phase", has_text="live").wait_for()
    press("Pause")
    page.locator("#phase", has_text="paused").wait_for()
    press("Go on")
    press("Rename player 0")
    page.locator("#reply").fill("renamed")
    press("Yes")
    page.get_by_role("cell", name="renamed", exact=True).wait_for()
    press("Remove player 1")
    press("Yes")
    page.get_by_text("Removed.").wait_for()
    running.wait(lambda s: s["clock"] > 5.1)
    press("Lock results")
    page.locator("#phase", has_text="locked").wait_for()
    press("End now")
    press("Yes")
    page.get_by_text("Reveal when the room is ready").wait_for()
    press("Reveal")
    page.locator("#phase", has_text="final").wait_for()
    with page.expect_download() as download:
        press("CSV")
    assert download.value.path().read_text().startswith("entry,alias")
    press("New round")
    page.locator("#phase", has_text="open for entries").wait_for()
    assert [r["alias"] for r in running.state()["rows"]] == ["FC average", "renamed"]


def test_the_instructor_sees_every_entry_however_soon_it_follows_another(arena, participants, visit):
    running = arena(settings=LONGER)
    page = visit(running.url + f"instructor#{TOKEN}", (1400, 1000))
    page.locator("td.alias", has_text="FC average").wait_for()
    enter(running, participants, 3)
    page.get_by_role("cell", name="player 2", exact=True).wait_for()


def test_the_instructors_page_opens_with_the_token_alone(arena, visit):
    page = visit(arena().url + "instructor")
    field = page.get_by_label(re.compile("Instructor's token"))
    field.fill("wrong")
    field.press("Enter")
    page.get_by_text("needs the instructor's token").wait_for()
    assert page.locator("#desk").is_hidden()
    field.fill(TOKEN)
    field.press("Enter")
    page.locator("#desk").wait_for()


@pytest.mark.parametrize("count", [0, 5, 60, 200])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_every_row_is_on_the_screen(arena, visit, count, scheme):
    running = arena(settings=LONGER)
    for i in range(count):
        running.arena.engine.enter(running.store.add_entry(f"somebody-{i:03d}", "http://127.0.0.1:1/", "learner", ""))
    running.arena.board.refresh()
    page = visit(running.url, color_scheme=scheme)
    until(page, f"document.querySelectorAll('.row').length === {count + 1}")
    at_rest(page)
    outside = page.evaluate("""() => [...document.querySelectorAll('.row')].filter(row => {
        const box = row.getBoundingClientRect();
        const field = document.querySelector('.field').getBoundingClientRect();
        return box.left < field.left - 1 || box.right > field.right + 1 || box.bottom > field.bottom + 1;
    }).length""")
    assert outside == 0
    small = page.evaluate("parseFloat(getComputedStyle(document.querySelector('.row')).fontSize)")
    assert small >= (18 if count <= 60 else 13)
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")


def prefixed(app, prefix):
    """The arena as JupyterLab's proxy serves it: under a path, which it takes away."""

    async def proxy(scope, receive, send):
        if scope["type"] == "http":
            assert scope["path"].startswith(prefix), scope["path"]
            scope = {**scope, "path": scope["path"][len(prefix) - 1 :], "raw_path": None}
        await app(scope, receive, send)

    return proxy


@pytest.mark.parametrize("path", ["", "phone", f"instructor#{TOKEN}"])
def test_the_pages_work_behind_a_proxys_path(arena, participants, visit, path):
    prefix = "/user/ada/proxy/8765/"
    running = arena(wrap=lambda app: prefixed(app, prefix))
    page = visit(running.url.rstrip("/") + prefix + path)
    until(page, "document.getElementById('phase').textContent === 'open for entries'")
    if not path:
        page.locator("#qr").wait_for()
        assert "/user/ada/proxy/8765/phone" in page.locator("#qr-image").get_attribute("alt")


def test_where_no_stream_comes_through_the_page_polls(arena, participants, browser, visit):
    running = arena(settings=LONGER)
    page = visit("about:blank")
    page.route("**/events?*", lambda route: route.abort())
    page.goto(running.url)
    enter(running, participants, 1)
    page.locator(".row .alias", has_text="player 0").wait_for(timeout=20_000)


def test_reduced_motion_is_respected_and_the_theme_can_be_chosen(arena, visit):
    page = visit(arena().url, reduced_motion="reduce", color_scheme="light")
    page.locator(".row").wait_for()
    assert page.evaluate("getComputedStyle(document.querySelector('.row')).transitionDuration") in ("0s", "0s, 0s")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    before = page.evaluate(ground)
    page.get_by_role("button", name="Dark or light").press("Enter")
    assert page.evaluate(ground) != before
    page.reload()
    assert page.evaluate(ground) != before


@pytest.mark.parametrize("path", ["", "phone", f"instructor#{TOKEN}"])
def test_everything_one_can_use_has_a_name(arena, visit, path):
    page = visit(arena().url + path)
    until(page, "document.getElementById('phase').textContent === 'open for entries'")
    nameless = page.evaluate("""() => [...document.querySelectorAll('button, a, input, select')]
        .filter(e => e.offsetParent && !(e.textContent.trim() || e.ariaLabel || e.labels?.length))
        .map(e => e.outerHTML)""")
    assert nameless == []
    assert page.evaluate("[...document.images].filter(i => !i.hasAttribute('alt')).length") == 0
    assert page.locator("h1").count() == 1


CONTRAST = """() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const over = ([r, g, b, a], under) => [r, g, b].map((v, i) => v * a / 255 + under[i] * (1 - a / 255));
    const behind = (element) => {
        const own = rgba(getComputedStyle(element).backgroundColor);
        if (own[3] === 255) return own.slice(0, 3);
        return over(own, element.parentElement ? behind(element.parentElement) : [255, 255, 255]);
    };
    const light = (c) => c.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
    const found = [];
    for (const element of document.querySelectorAll('body *')) {
        const style = getComputedStyle(element);
        if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || element.disabled) continue;
        const text = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
        const ground = behind(element);
        if (text && !element.closest('svg')) {
            const size = parseFloat(style.fontSize);
            const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
            const got = ratio(over(rgba(style.color), ground), ground);
            if (got < least) found.push(`${element.className || element.tagName}: ${got.toFixed(2)} of ${least}`);
        }
        if (element.matches('input, select, button')) {
            const got = ratio(over(rgba(style.borderTopColor), ground), behind(element.parentElement));
            const name = element.id || element.textContent;
            if (got < 3 && !element.matches('.primary')) found.push(`edge of ${name}: ${got.toFixed(2)}`);
        }
    }
    return [...new Set(found)];
}"""


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("path", ["", "phone", f"instructor#{TOKEN}"])
def test_everything_can_be_read(arena, participants, visit, path, scheme):
    """WCAG 2.2, 1.4.3 and 1.4.11: text 4.5 to 1, large text and the edges of what can be used 3 to 1."""
    running = arena(settings=dataclasses.replace(LONGER, hide_seconds=0))
    enter(running, participants, 6)
    for entry, trouble in zip(running.store.entries()[-2:], ("status/502", "slow/9"), strict=True):
        running.arena.engine.renew(running.store.change_entry(entry.id, url=f"{participants.url}/{trouble}"))
    page = visit(running.url + path, PHONE if path == "phone" else (1920, 1080), color_scheme=scheme)
    until(page, "document.getElementById('phase').textContent === 'open for entries'")
    assert page.evaluate(CONTRAST) == []
    running.act("start")
    until(page, "document.querySelectorAll('.sign-error').length >= 2 + !!document.querySelector('.states')")
    at_rest(page)
    assert page.evaluate(CONTRAST) == []
    running.act("lock")
    until(page, "document.getElementById('phase').textContent === 'locked'")
    at_rest(page)
    assert page.evaluate(CONTRAST) == []


def test_the_keyboard_reaches_everything_in_the_order_of_the_page(arena, participants, visit):
    running = arena(settings=LONGER)
    enter(running, participants, 2)
    page = visit(running.url + f"instructor#{TOKEN}", (1400, 1000))
    page.get_by_role("button", name="Remove player 1").wait_for()
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate("(e => e.ariaLabel || e.textContent.trim() || e.name || e.id)(document.activeElement)")
        )
    order = ["Projector", "Phone", "Dark or light", "Start the round", "New round", "Save", "Rename player 0", "CSV"]
    assert sorted(order, key=seen.index) == order
    page.get_by_role("button", name="Rename player 0").press("Enter")
    page.evaluate("document.querySelector('#entries tbody tr').id = 'drawn-before'")
    assert running.enter(f"{participants.url}/good/0", "late")[0] == 201
    until(page, "!document.getElementById('drawn-before')")  # the table has been drawn again, with one more
    assert page.evaluate("document.activeElement.id") == "reply"
    page.keyboard.press("Escape")
    until(page, "document.activeElement.ariaLabel === 'Rename player 0'")


def test_who_falls_off_the_podium_is_not_shown_as_new(arena, participants, visit):
    running = arena(settings=dataclasses.replace(LONGER, window=20, rate=40))
    enter(running, participants, 6)
    page = visit(running.url)
    running.act("start")
    page.locator(".card-alias", has_text="player 0").wait_for()
    entry = running.store.entries()[1]
    running.arena.engine.renew(running.store.change_entry(entry.id, url=f"{participants.url}/good/90000"))
    page.locator(".row", has_text="player 0").wait_for()
    assert page.locator(".row.is-new").count() == 0
    assert running.enter(f"{participants.url}/good/0", "newcomer")[0] == 201
    page.locator(".row.is-new", has_text="newcomer").wait_for()


def test_a_page_that_slept_catches_up(arena, participants, visit):
    running = arena(settings=LONGER)
    enter(running, participants, 2)
    page = visit(running.url)
    running.act("start")
    page.locator("#phase", has_text="live").wait_for()
    chromium = page.context.new_cdp_session(page)
    chromium.send("Page.setWebLifecycleState", {"state": "frozen"})
    asleep = running.state()["clock"]
    running.wait(lambda s: s["clock"] > asleep + 4)
    chromium.send("Page.setWebLifecycleState", {"state": "active"})
    running.act("lock")
    page.locator("#phase", has_text="locked").wait_for()
    shown, state = seconds_shown(page), running.state()
    assert abs(shown - (state["seconds"] - state["clock"])) <= 3


def test_the_computers_own_time_does_not_move_the_countdown(arena, participants, visit):
    running = arena(settings=LONGER)
    enter(running, participants, 1)
    page = visit(running.url)
    running.act("start")
    page.locator("#phase", has_text="live").wait_for()
    page.evaluate("Date.now = () => 0")  # as if somebody had set the system's time back by decades
    running.wait(lambda s: s["clock"] > 3)
    poll(lambda: seconds_shown(page) <= LONGER.seconds - 2)
    assert abs(seconds_shown(page) - (LONGER.seconds - running.state()["clock"])) <= 3


def test_an_arena_that_is_gone_is_told_on_every_page_and_found_again(arena, participants, visit):
    running = arena(settings=LONGER)
    enter(running, participants, 1)
    gone = []
    pages = [visit(running.url), visit(running.url + "phone", PHONE), visit(running.url + f"instructor#{TOKEN}")]
    for page in pages:
        until(page, "document.getElementById('phase').textContent === 'open for entries'")
        page.route("**/*", lambda route: route.abort() if gone else route.continue_())
    gone.append(True)
    running.arena.board.close()  # every stream ends, and no new one comes through
    for page in pages:
        page.locator("#phase", has_text="reconnecting").wait_for(timeout=30_000)
    pages[0].get_by_text("The arena is out of reach").wait_for()
    gone.clear()
    running.arena.board.closing = False
    for page in pages:
        page.locator("#phase", has_text="open for entries").wait_for(timeout=30_000)
