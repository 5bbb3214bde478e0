"""The life of an endpoint: its models are loaded, an update moves the traffic or is rolled back, instances change."""

from __future__ import annotations

import logging
import time
import uuid
from typing import Any

from helpers.offline.kernel import Kernel
from helpers.offline.services.sagemaker import job_events
from helpers.offline.services.sagemaker.endpoint_descriptions import description, pending_variant
from helpers.offline.services.sagemaker.fleet import Fleet, Running, load_variant
from helpers.offline.services.sagemaker.job_log import ContainerLog
from helpers.offline.services.sagemaker.records import Endpoint, Variant
from helpers.offline.services.sagemaker.serving.container import LoadError
from helpers.offline.services.sagemaker.serving.instances import service_time_s
from helpers.offline.services.sagemaker.store import Store
from helpers.offline.services.sagemaker.traffic_shifting import retain, shares

log = logging.getLogger("offline.sagemaker")
EVENT_STATES = {"InService": "IN_SERVICE", "Creating": "CREATING", "Updating": "UPDATING", "Failed": "FAILED"}

Records = dict[tuple[str, str], Any]  # by kind and name


class Deployments:
    """`fleets` is what serves, by region and endpoint."""

    def __init__(self, kernel: Kernel, store: Store) -> None:
        self.kernel = kernel
        self.store = store
        self.fleets: dict[tuple[str, str], Fleet] = {}
        self.logs: dict[tuple[str, str, str], ContainerLog] = {}

    def recover(self) -> None:
        """After a restart: what was serving serves again; an update that was under way begins anew."""
        for region in self.store.regions():
            for endpoint in self.store.endpoints(region).values():
                if endpoint.status == "Failed":
                    continue
                if not hasattr(endpoint, "deployed"):  # kept by an older version
                    endpoint.deployed = {}
                self.kernel.background(self._resume, endpoint)

    def container_log(self, endpoint: Endpoint, variant: str) -> ContainerLog:
        key = (endpoint.region, endpoint.name, variant)
        if key not in self.logs:
            instance = f"i-{uuid.uuid4().hex[:17]}"
            group = f"/aws/sagemaker/Endpoints/{endpoint.name}"
            self.logs[key] = ContainerLog(self.kernel, endpoint.region, group, f"{variant}/{instance}")
        return self.logs[key]

    def _resume(self, endpoint: Endpoint) -> None:
        """What served serves again; then the update that was accepted goes on."""
        pending, was_updating = endpoint.pending, endpoint.status in ("Updating", "RollingBack")
        self.begin(endpoint, "Updating" if was_updating else "InService")
        if endpoint.status != "Updating":
            return
        if pending is not None and "deployment" in pending:
            self.update(endpoint, *pending["deployment"])
        else:
            self.resize(endpoint)

    def begin(self, endpoint: Endpoint, then: str = "InService") -> None:
        try:
            fleet = self._load(endpoint, endpoint.config, endpoint.deployed, keep=endpoint.variants)
        except LoadError as error:
            self._fail(endpoint, str(error))
            return
        except Exception as error:
            log.exception("endpoint %s", endpoint.name)
            self._fail(endpoint, f"{type(error).__name__}: {error}")
            return
        with self.store.lock:
            if self.store.endpoints(endpoint.region).get(endpoint.name) is not endpoint:
                return
            self.fleets[endpoint.region, endpoint.name] = fleet
            endpoint.variants = [running.variant for running in fleet.blue]
            self.enter(endpoint, then)
        self.tell(endpoint)

    def _made_of(self, made_of: Records, region: str, kind: str, name: str) -> Any:
        """A configuration or model; `made_of` keeps it as it was, for it may be deleted while it serves.

        Raises AwsError where there is none.
        """
        if (kind, name) not in made_of:
            made_of[kind, name] = self.store.find(region, kind, name)
        return made_of[kind, name]

    def _load(self, endpoint: Endpoint, config_name: str, made_of: Records, keep: list[Variant]) -> Fleet:
        """Raises LoadError. Instance counts and weights of `keep` stay as they were."""
        config = self._made_of(made_of, endpoint.region, "endpoint-config", config_name)
        kept = {variant.name: variant for variant in keep}
        running: list[Running] = []
        for entry in config.request["ProductionVariants"]:
            variant = kept.get(entry["VariantName"]) or variant_of(entry)
            model = self._made_of(made_of, endpoint.region, "model", entry["ModelName"])
            output = self.container_log(endpoint, variant.name)
            routing = entry.get("RoutingConfig", {}).get("RoutingStrategy", "RANDOM")
            try:
                running.append(load_variant(self.kernel, variant, model, config_name, routing))
                running[-1].pace(service_time_s(endpoint.tags))
            except LoadError as error:
                output.add(f"[ERROR] {error}")
                output.flush()
                raise LoadError(
                    f"The primary container for production variant {variant.name} did not pass the ping health check. "
                    f"Please check CloudWatch logs for this endpoint. The container says: {error}"
                ) from None
            output.add(f"Model of production variant {variant.name} loaded; GET /ping 200")
            output.flush()
        return Fleet(running, config.request.get("DataCaptureConfig"))

    def update(self, endpoint: Endpoint, request: dict[str, Any], deployment: dict[str, Any]) -> None:
        try:
            made_of: Records = {}
            green = self._load(endpoint, request["EndpointConfigName"], made_of, keep=[])
            retain(endpoint, green, request)
            problem = self._shift(endpoint, green, deployment)
        except LoadError as error:
            problem = str(error)
        except Exception as error:
            log.exception("update of endpoint %s", endpoint.name)
            problem = f"{type(error).__name__}: {error}"
        with self.store.lock:
            if self.store.endpoints(endpoint.region).get(endpoint.name) is not endpoint:
                return
            blue = self.fleets.get((endpoint.region, endpoint.name))
            if problem is None:
                for running in green.blue:
                    running.is_green = False
                self.fleets[endpoint.region, endpoint.name] = green
                endpoint.config, endpoint.deployed = request["EndpointConfigName"], made_of
                endpoint.variants = [running.variant for running in green.blue]
                endpoint.last_deployment = deployment or endpoint.last_deployment
            elif blue is not None:
                blue.green, blue.green_share = [], 0.0
            endpoint.failure = problem
            endpoint.pending = None
            self.enter(endpoint, "InService" if self._serves(endpoint) else "Failed")
        self.tell(endpoint)

    def _shift(self, endpoint: Endpoint, green: Fleet, deployment: dict[str, Any]) -> str | None:
        """Moves the traffic in the policy's steps. Returns why it was rolled back, None where it was not."""
        blue = self.fleets.get((endpoint.region, endpoint.name))
        policy = deployment.get("BlueGreenUpdatePolicy", {}).get("TrafficRoutingConfiguration", {})
        alarms = [alarm["AlarmName"] for alarm in deployment.get("AutoRollbackConfiguration", {}).get("Alarms", [])]
        wait_s = policy.get("WaitIntervalInSeconds", 0)
        if blue is None or not policy:
            return None
        for running in green.blue:
            running.is_green = True
        for share in shares(policy, green):
            self._pending(endpoint, "ActivatingTraffic")
            blue.green, blue.green_share = green.blue, share
            self._pending(endpoint, "Baking")
            deadline = time.monotonic() + wait_s
            while time.monotonic() < deadline or alarms:
                ringing = self._ringing(endpoint.region, alarms)
                if ringing:
                    self.enter(endpoint, "RollingBack")
                    return f"One or more configured alarms triggered: [{', '.join(ringing)}]. Rolled back."
                if time.monotonic() >= deadline or self.kernel.stopping.wait(0.5):
                    break
        return None

    def _pending(self, endpoint: Endpoint, status: str) -> None:
        """The new variants are at this point of the deployment, which an event tells."""
        with self.store.lock:
            if endpoint.pending is None:
                return
            entries = endpoint.pending.get("ProductionVariants", [])
            endpoint.pending |= {"ProductionVariants": [pending_variant(entry, status) for entry in entries]}
        detail = description(endpoint) | {"EndpointStatus": "UPDATING"}
        job_events.emit(self.kernel, endpoint.region, "Endpoint Deployment", detail, endpoint.arn)

    def _ringing(self, region: str, alarms: list[str]) -> list[str]:
        if not alarms:
            return []
        states = self.kernel.ports.metrics.alarm_states(self.kernel.account_id, region, alarms)
        return [name for name in alarms if states.get(name) == "ALARM"]

    def resize(self, endpoint: Endpoint) -> None:
        fleet = self.fleets.get((endpoint.region, endpoint.name))
        with self.store.lock:
            for variant in endpoint.variants:
                variant.weight, variant.instances = variant.desired_weight, variant.desired_instances
            for running in fleet.blue if fleet else []:
                running.resize(running.variant.instances)
            self.enter(endpoint, "InService")
        self.tell(endpoint)

    def _serves(self, endpoint: Endpoint) -> bool:
        return (endpoint.region, endpoint.name) in self.fleets

    def _fail(self, endpoint: Endpoint, reason: str) -> None:
        with self.store.lock:
            endpoint.failure = reason[:1024]
            self.enter(endpoint, "Failed")
        self.tell(endpoint)

    def enter(self, endpoint: Endpoint, status: str) -> None:
        endpoint.status = status
        endpoint.modified = time.time()

    def tell(self, endpoint: Endpoint) -> None:
        self.store.changed()
        detail = description(endpoint)
        detail["EndpointStatus"] = EVENT_STATES.get(endpoint.status, endpoint.status.upper())
        job_events.emit(self.kernel, endpoint.region, "Endpoint", detail, endpoint.arn)


def variant_of(entry: dict[str, Any]) -> Variant:
    weight, count = entry.get("InitialVariantWeight", 1.0), entry["InitialInstanceCount"]
    return Variant(entry["VariantName"], entry["ModelName"], weight, count, entry["InstanceType"], weight, count)
