"""The workshop's own error: one sentence for the learner instead of a page of traceback."""


class WorkshopError(Exception):
    """Something that the learner can put right; the message says what and how."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the sentence alone."""
        return [f"Workshop: {self}"]
