"""REST APIs for the tagging API, which moto leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class TaggedApis:
    """Has what moto's TaggableResourcesMixin asks for, over the API Gateway backend of one region."""

    def __init__(self, account_id: str, region: str) -> None:
        from moto.apigateway.models import apigateway_backends

        self.region = region
        self.backend = apigateway_backends[account_id][region]

    def iter_tagged_resources(self) -> Iterator[Any]:
        from moto.core.resource_tagging import TaggedResource

        for api in list(self.backend.apis.values()):
            yield TaggedResource(self._arn(api.id), dict(api.tags or {}), "apigateway:restapis")

    def owns_arn(self, arn: str) -> bool:
        return arn.startswith(f"arn:aws:apigateway:{self.region}::/restapis/")

    def tag_resource(self, arn: str, tags: dict[str, str]) -> None:
        api = self._api(arn)
        api.tags = {**(api.tags or {}), **tags}

    def untag_resource(self, arn: str, tag_keys: list[str]) -> None:
        api = self._api(arn)
        api.tags = {key: value for key, value in (api.tags or {}).items() if key not in tag_keys}

    def _api(self, arn: str) -> Any:
        return self.backend.get_rest_api(arn.split("/")[2])

    def _arn(self, api_id: str) -> str:
        return f"arn:aws:apigateway:{self.region}::/restapis/{api_id}"


def include_apis() -> None:
    """Makes moto's tagging API see REST APIs."""
    import moto.resourcegroupstaggingapi.models as models

    others = models.iter_taggable_backends

    def iter_taggable_backends(account_id: str, region_name: str) -> Iterator[Any]:
        yield from others(account_id, region_name)
        yield TaggedApis(account_id, region_name)

    models.iter_taggable_backends = iter_taggable_backends
