"""Old data become coarser and nothing of them is lost; very old data are forgotten."""

import time

from helpers.offline.services.cloudwatch.series import MINUTES_KEPT_S, SECONDS_KEPT_S, Store

KEY = ("Fulfillment", "Error", ())


def test_old_data_are_kept_by_the_minute():
    store, now = Store(), time.time()
    minute = (now - SECONDS_KEPT_S) // 60 * 60 - 120
    for second in range(60):
        store.put(KEY, second, "None", minute + second)
    store.put(KEY, 7, "None", now)
    store.put(KEY, 8, "None", now - MINUTES_KEPT_S - 60)
    store.prune()
    assert len(store.series[KEY].buckets) == 2
    ((stamp, bucket),) = store.periods(KEY, minute, minute + 60, 60)
    assert (stamp, bucket.count, bucket.total, bucket.least, bucket.most) == (minute, 60, sum(range(60)), 0, 59)
    assert bucket.statistic("p50") == 29.5


def test_a_series_without_data_is_forgotten():
    store = Store()
    store.put(KEY, 1, "None", time.time() - MINUTES_KEPT_S - 60)
    store.prune()
    assert store.series == {}
