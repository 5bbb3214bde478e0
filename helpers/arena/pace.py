"""The pace of a round: its clock, its pauses, waiting for its moments, and an account of how late they came."""

import asyncio
from collections import deque
from collections.abc import Callable

from helpers.arena.rounds import RoundClock

STALL_SECONDS = 1.5  # later than this, nothing ran here at all: the round stood still
CATCH_UP = 4  # late moments are made up for so many times as fast; all at once, each question needs its own connection
_LONGEST_SLEEP = 0.5


class Pace:
    """Moments are absolute: one that comes late moves none of those after it."""

    def __init__(self, interval: float, end: float, elapsed: float = 0.0, *, paused: bool = False) -> None:
        """`interval`: seconds from one interaction to the next; `end`: of the round, and it may be moved."""
        self.clock = RoundClock(elapsed)
        self.end = end
        self.interval = interval
        self.lateness: deque[float] = deque(maxlen=20_000)  # seconds, of the last moments
        self.moments = 0
        self.late = 0  # moments that came later than the next interaction was due, and were made up for
        self.stood_still = 0
        self._going = asyncio.Event()
        if not paused:
            self._going.set()

    def pause(self) -> None:
        """Stop the clock; `going` waits from now on."""
        self.clock.stop()
        self._going.clear()

    def resume(self, *, clock: bool) -> None:
        """Go on; `clock`: with the clock, which stands during the warm-up."""
        if clock:
            self.clock.start()
        self._going.set()

    async def going(self) -> None:
        """Wait while the round is paused."""
        await self._going.wait()

    async def moment(self, due: float, step: float, meanwhile: Callable[[], None]) -> float:
        """Wait until the clock shows `due`, or the round's end; seconds that the process stood still, mostly none.

        `step`: seconds to the next moment. `meanwhile` is called now and then, and when the moment has come.
        """
        if self.clock.elapsed - due > step:
            await asyncio.sleep(step / CATCH_UP)
        while True:
            await self.going()
            left = min(due, self.end) - self.clock.elapsed
            if left <= 0:
                break
            await asyncio.sleep(min(left, _LONGEST_SLEEP))
            meanwhile()
        self.moments += 1
        stood_still = -left if -left > STALL_SECONDS else 0.0
        if stood_still:
            self.clock.set_back(stood_still)
            self.stood_still += 1
        else:
            self.lateness.append(-left)
            self.late += -left > self.interval
        meanwhile()
        return stood_still
