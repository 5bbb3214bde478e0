"""The arena under load: 200 participants at 5 interactions a second, some of them as bad as can be, and 100 viewers.

One stub process plays all participants on loopback. They enter as good ones; then 20 of them turn slow, dead, garbage,
redirecting or endless. Prints scheduling jitter, memory, and whether the good ones noticed.

No tick is missed when every interaction was asked of every entry and has an outcome in the log. A late tick, one that
came after the next interaction was due, is made up for at once and counted; it costs nobody anything.

    python benchmarks/arena_load.py --minutes 10
"""

import argparse
import asyncio
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import psutil

STAGE = "/restapis/abc123/live/_user_request_"  # where an offline AWS has its APIs
BAD = ("slow", "dead", "garbage", "redirecting", "endless")


class Participant(asyncio.Protocol):
    """Answers the FC average and something of its own; after the signal, the first `bad` ones misbehave."""

    misbehaving = False
    bad = 0

    def connection_made(self, transport):
        self.transport = transport
        self.buffer = b""

    def data_received(self, data):
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head, self.buffer = self.buffer[:end], self.buffer[end + 4 :]
            self.answer(head.split(b" ", 2)[1].decode().removeprefix(STAGE))

    def answer(self, target):
        if target == "/misbehave":
            Participant.misbehaving = True
            return self.send(b"{}")
        number = int(target.split("/")[2].split("?")[0])
        if Participant.misbehaving and number < Participant.bad:
            return getattr(self, BAD[number % len(BAD)])()
        fc_avg = float(target.partition("features=")[2].split(",")[0])
        self.send(b'{"prediction_ms": %.1f}' % (fc_avg + (number * 37) % 2000 - 1000))

    def send(self, body, status=b"200 OK", extra=b""):
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, extra, len(body), body))

    def slow(self):
        asyncio.get_running_loop().call_later(8, self.send, b"9000")

    def dead(self):
        self.transport.abort()

    def garbage(self):
        self.send(os.urandom(300))

    def redirecting(self):
        self.send(b"", b"302 Found", b"Location: http://169.254.169.254/\r\n")

    def endless(self, first=True):
        if first:
            self.transport.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        if not self.transport.is_closing():
            self.transport.write(b"400\r\n" + b" " * 1024 + b"\r\n")
            asyncio.get_running_loop().call_later(0.002, self.endless, False)


async def stub(bad):
    Participant.bad = bad
    server = await asyncio.get_running_loop().create_server(Participant, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def call(method, url, body=None, token=""):
    request = urllib.request.Request(url, method=method, data=None if body is None else json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    request.add_header("X-Arena-Token", token)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def wait_for(path, process):
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        if path.exists():
            return json.loads(path.read_text())
        time.sleep(0.05)
    raise SystemExit("The arena did not start.")


def play(arguments, folder):
    stub_process = subprocess.Popen(
        [sys.executable, __file__, "--stub", "--bad", str(arguments.bad)], stdout=subprocess.PIPE, text=True
    )
    seconds = arguments.minutes * 60
    options = (
        f"serve --port 0 --entries-per-minute 100000 --warm-up-seconds 5 --hide-seconds 0 --seed 1 --seconds {seconds}"
    )
    arena_process = subprocess.Popen(
        [sys.executable, "-m", "helpers.arena", "--store", f"{folder}/arena.db", *options.split()],
        stdout=subprocess.DEVNULL,
    )
    try:
        stubs = f"http://127.0.0.1:{stub_process.stdout.readline().strip()}{STAGE}"
        found = wait_for(Path(folder) / "server.json", arena_process)
        arena, token = found["url"], found["token"]
        time.sleep(2)
        for i in range(arguments.participants):
            call("POST", f"{arena}api/entries", {"url": f"{stubs}/p/{i}", "alias": f"p{i:03d}"})
        call("POST", f"{arena}api/instructor/round/settings", {"rate": arguments.rate}, token)
        call("GET", f"{stubs}/misbehave")
        call("POST", f"{arena}api/instructor/round/start", {}, token)
        viewers = threading.Thread(target=lambda: asyncio.run(view(arena, arguments.viewers)), daemon=True)
        viewers.start()
        process = psutil.Process(arena_process.pid)
        watch(arguments, arena, token, process, folder)
    finally:
        for child in (arena_process, stub_process):
            child.terminate()
            child.wait(20)


async def view(arena, count):
    """So many phones, and one projector: each reads the stream of the board and throws it away."""

    async def one(view):
        host, port = arena[7:-1].split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET /events?view={view} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        while await reader.read(65536):
            pass

    with contextlib.suppress(OSError):
        await asyncio.gather(*(one("phone" if i else "board") for i in range(count)))


def log_of(folder, bad):
    """(outcomes in the log, of the good ones: questions that were not asked because too many were open)."""
    with contextlib.closing(sqlite3.connect(f"{folder}/arena.db")) as db:
        [(answers,)] = db.execute("select count(*) from answers where round = 1")
        [(refused,)] = db.execute(
            "select count(*) from answers join entries on entries.id = entry where outcome = 8 and kind = 'learner'"
            " and cast(substr(alias, 2) as integer) >= ?",
            (bad,),
        )
    return answers, refused


def watch(arguments, arena, token, process, folder):
    memory, cpu_before, began = [], None, time.monotonic()
    while True:
        state = call("GET", f"{arena}api/state?view=phone")
        if state["phase"] == "live" and state["clock"] > 15:
            cpu_before = cpu_before or (sum(process.cpu_times()[:2]), time.monotonic())
            memory.append((state["clock"], process.memory_info().rss / 2**20))
        if state["finished"]:
            break
        print(f"\r{state['phase']} {state['clock']:.0f}/{state['seconds']:.0f} s", end="", file=sys.stderr, flush=True)
        time.sleep(2)
    print(file=sys.stderr)
    cpu = (sum(process.cpu_times()[:2]) - cpu_before[0]) / (time.monotonic() - cpu_before[1])
    report = call("GET", f"{arena}api/instructor", token=token)
    rows = [r for r in report["state"]["rows"] if r["kind"] == "learner"]
    good = [r for r in rows if int(r["alias"][1:]) >= arguments.bad]
    bad = [r for r in rows if int(r["alias"][1:]) < arguments.bad]
    asked = int(state["seconds"] * arguments.rate)
    print(f"participants            {len(rows)}, {len(bad)} of them {', '.join(BAD)}")
    print(f"interactions            {asked} x {len(rows)} = {asked * len(rows)} questions in {state['seconds']:.0f} s")
    p50, p99, most = (report[f"jitter_{name}_ms"] for name in ("p50", "p99", "most"))
    print(f"scheduling jitter       p50 {p50} ms, p99 {p99} ms, most {most} ms")
    answers, refused = log_of(folder, arguments.bad)
    missed = asked * (len(rows) + 1) - answers + refused  # the FC average plays, too
    print(f"missed                  {missed} of {asked * (len(rows) + 1)} outcomes")
    print(f"late ticks, made up     {report['late']} of {report['ticks']}; stood still {report['stood_still']} times")
    print(f"viewers                 {report['viewers']}")
    sizes, most = by_the_minute(memory), max(size for _, size in memory)
    print(f"memory by the minute    {', '.join(f'{size:.0f}' for size in sizes)} MB; most {most:.0f} MB")
    print(f"processor               {cpu:.2f} of one core, load average {os.getloadavg()[0]:.1f}")
    print(f"good ones: answered     {min(r['availability'] for r in good):.4f} at least")
    print(f"good ones: p95 latency  {max(r['p95'] for r in good)} ms at most")
    print(f"bad ones: answered      {max((r['availability'] for r in bad), default=0):.4f} at most")
    print(f"wall time               {time.monotonic() - began:.0f} s")


def by_the_minute(memory):
    """The first measurement of each minute of the round, and the last one."""
    first = {int(clock // 60): size for clock, size in reversed(memory)}
    return [*(first[minute] for minute in sorted(first)), memory[-1][1]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--participants", type=int, default=200)
    parser.add_argument("--bad", type=int, default=20)
    parser.add_argument("--viewers", type=int, default=100)
    parser.add_argument("--rate", type=float, default=5.0)
    parser.add_argument("--stub", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.stub:
        asyncio.run(stub(arguments.bad))
        return
    with tempfile.TemporaryDirectory() as folder:
        play(arguments, folder)


if __name__ == "__main__":
    main()
