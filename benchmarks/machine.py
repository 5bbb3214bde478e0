"""What machine the figures are of."""

import os
import platform
from datetime import date
from pathlib import Path


def description() -> str:
    """Processor, cores, Python and the date, in one line."""
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    processor = names[0] if names else platform.processor() or platform.machine()
    return f"{processor}, {cores} cores, Python {platform.python_version()}, {date.today().isoformat()}"
