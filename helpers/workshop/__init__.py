"""The workshop as a notebook sees it: `from helpers import workshop`, then `ws = workshop.connect(lab=1)`."""

from helpers.workshop.connection import connect
from helpers.workshop.errors import WorkshopError
from helpers.workshop.session import Workshop

__all__ = ["Workshop", "WorkshopError", "connect"]
