"""What services share of the kernel, used from many threads at once."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from helpers.offline.kernel import Credentials, Kernel, Workspace

ACCOUNT = "210987654321"


def test_sessions_that_have_expired_are_removed_once_however_many_ask_for_new_ones(tmp_path):
    kernel = Kernel(Workspace(tmp_path, Credentials("id", "secret")), "http://127.0.0.1", ACCOUNT)
    iam = iam_backends[ACCOUNT]["aws"]
    trust = '{"Version": "2012-10-17", "Statement": []}'
    role = iam.create_role("worker", trust, "/", None, "", [], None)
    backend = sts_backends[ACCOUNT]["aws"]
    kernel.issue_role_session(role.arn, "old")
    both = threading.Barrier(2)

    class Expired:
        access_key_id = "old"

        @property
        def expiration(self):
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(1)  # both look at it before either removes it, if they are let
            return datetime.now() - timedelta(days=2)

    backend.assumed_roles.append(Expired())
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda name: kernel.issue_role_session(role.arn, name), ("a", "b")))
    assert len({one.access_key_id for one in made}) == 2
    assert not [held for held in backend.assumed_roles if isinstance(held, Expired)]
