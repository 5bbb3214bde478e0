"""The workshop's own code: what the labs use, and the offline AWS they run against."""
