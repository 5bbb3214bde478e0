"""Work that blocks, done beside the event loop in threads of the arena's own.

Host names are resolved in the loop's default threads; a name server that hangs there never holds up the log.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class Threads:
    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="arena")

    async def run(self, function: Callable[..., Result], *arguments: object) -> Result:
        """What `function` returns or raises, without holding up the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    def close(self) -> None:
        self._pool.shutdown()
