"""Endpoints: CreateEndpoint, UpdateEndpoint, DeleteEndpoint, weights and capacities; blue/green with alarms."""

from __future__ import annotations

import logging
import time
import uuid
from typing import Any

from helpers.offline.actions import Need
from helpers.offline.authorization import Authorizer
from helpers.offline.kernel import AwsError, Call, Kernel
from helpers.offline.services.sagemaker import job_events
from helpers.offline.services.sagemaker.fleet import Fleet, Running, load_variant
from helpers.offline.services.sagemaker.job_log import ContainerLog
from helpers.offline.services.sagemaker.records import Endpoint, Variant
from helpers.offline.services.sagemaker.serving.container import LoadError
from helpers.offline.services.sagemaker.serving.instances import service_time_s
from helpers.offline.services.sagemaker.store import Store, invalid, page

log = logging.getLogger("offline.sagemaker")
EVENT_STATES = {"InService": "IN_SERVICE", "Creating": "CREATING", "Updating": "UPDATING", "Failed": "FAILED"}
UPDATING = ("Creating", "Updating", "RollingBack", "SystemUpdating", "Deleting")


Records = dict[tuple[str, str], Any]  # by kind and name


class Endpoints:
    """`fleets` is what serves, by region and endpoint."""

    def __init__(self, kernel: Kernel, store: Store) -> None:
        self.kernel = kernel
        self.store = store
        self.fleets: dict[tuple[str, str], Fleet] = {}
        self.logs: dict[tuple[str, str, str], ContainerLog] = {}

    # --- Operations ---------------------------------------------------------------------------------------------------

    def create(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        name = request["EndpointName"]
        self.store.refuse_existing(call.region, "endpoint", name)
        self.store.find(call.region, "endpoint-config", request["EndpointConfigName"])
        endpoint = Endpoint(
            self.store.arn(call.region, "endpoint", name),
            name,
            call.region,
            request["EndpointConfigName"],
            list(request.get("Tags", [])),
            last_deployment=request.get("DeploymentConfig"),
        )
        with self.store.lock:
            self.store.endpoints(call.region)[name] = endpoint
        self._tell(endpoint)
        self.kernel.background(self._begin, endpoint)
        return {"EndpointArn": endpoint.arn}

    def update(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        endpoint = self._idle(call.region, request["EndpointName"])
        config = self.store.find(call.region, "endpoint-config", request["EndpointConfigName"])
        self._keep_scaled_variants(endpoint, config.request["ProductionVariants"])
        deployment = request.get("DeploymentConfig")
        if deployment is None and request.get("RetainDeploymentConfig"):
            deployment = endpoint.last_deployment
        if deployment and "RollingUpdatePolicy" in deployment:
            raise AwsError("NotImplemented", "The offline AWS updates endpoints blue/green, not rolling.", 501)
        check_routing((deployment or {}).get("BlueGreenUpdatePolicy", {}).get("TrafficRoutingConfiguration", {}))
        with self.store.lock:
            endpoint.pending = {
                "EndpointConfigName": request["EndpointConfigName"],
                "StartTime": time.time(),
                "deployment": (request, deployment or {}),  # for a restart in the middle of it
                "ProductionVariants": [
                    pending_variant(entry, "Creating") for entry in config.request["ProductionVariants"]
                ],
            }
            self._enter(endpoint, "Updating")
        self._tell(endpoint)
        self.kernel.background(self._update, endpoint, request, deployment or {})
        return {"EndpointArn": endpoint.arn}

    def update_weights(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        endpoint = self._idle(call.region, request["EndpointName"])
        variants = {variant.name: variant for variant in endpoint.variants}
        wanted = request["DesiredWeightsAndCapacities"]
        for entry in wanted:
            if entry["VariantName"] not in variants:
                raise invalid(f'Could not find production variant "{entry["VariantName"]}" of "{endpoint.arn}".')
        with self.store.lock:
            for entry in wanted:
                variant = variants[entry["VariantName"]]
                variant.desired_weight = entry.get("DesiredWeight", variant.desired_weight)
                variant.desired_instances = entry.get("DesiredInstanceCount", variant.desired_instances)
            self._enter(endpoint, "Updating")
        self._tell(endpoint)
        self.kernel.background(self._resize, endpoint)
        return {"EndpointArn": endpoint.arn}

    def delete(self, call: Call, request: dict[str, Any]) -> None:
        endpoint = self.store.find(call.region, "endpoint", request["EndpointName"])
        self._check_may_deregister(call, endpoint)
        with self.store.lock:
            if endpoint.status in UPDATING:
                raise invalid(f'Cannot update in-progress endpoint "{endpoint.arn}".')
            self.store.endpoints(call.region).pop(endpoint.name, None)
            self.fleets.pop((call.region, endpoint.name), None)
        self.kernel.ports.scaling.forget_endpoint(call.region, endpoint.name)
        endpoint.status = "Deleting"
        self._tell(endpoint)

    def _check_may_deregister(self, call: Call, endpoint: Endpoint) -> None:
        """Raises AwsError where a scalable target would stay because the caller may not deregister it."""
        if call.principal.role_arn is None or not self.kernel.ports.scaling.scaled(call.region, endpoint.name):
            return
        action, context = (
            "application-autoscaling:DeregisterScalableTarget",
            {
                "application-autoscaling:service-namespace": ("sagemaker",),
                "application-autoscaling:scalable-dimension": ("sagemaker:variant:DesiredInstanceCount",),
            },
        )
        need = Need(action, ("*",), context)
        if Authorizer(self.kernel.account_id).explain(call.principal, call.region, need):
            raise invalid(
                "An Application AutoScaling scalable target exists for a variant being deleted, and the IAM identity "
                f"used to invoke DeleteEndpoint does not have {action} permission to deregister the scalable target."
            )

    def _keep_scaled_variants(self, endpoint: Endpoint, wanted: list[dict[str, Any]]) -> None:
        """Raises AwsError where a scalable target would lose its variant, or the variant its instance type."""
        types = {entry["VariantName"]: entry["InstanceType"] for entry in wanted}
        present = {variant.name: variant.instance_type for variant in endpoint.variants}
        scaled = self.kernel.ports.scaling.scaled(endpoint.region, endpoint.name)
        lost = [name for name in scaled if types.get(name) != present.get(name)]
        if lost:
            raise invalid(
                f"The variants {', '.join(lost)} of {endpoint.arn} are scalable targets of Application Auto Scaling: "
                "deregister them before they are removed or get another instance type."
            )

    def describe(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        return self.description(self.store.find(call.region, "endpoint", request["EndpointName"]))

    def list(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        return page(
            list(self.store.endpoints(call.region).values()),
            request,
            "Endpoints",
            lambda endpoint: {
                "EndpointName": endpoint.name,
                "EndpointArn": endpoint.arn,
                "CreationTime": endpoint.created,
                "LastModifiedTime": endpoint.modified,
                "EndpointStatus": endpoint.status,
            },
            name=lambda endpoint: endpoint.name,
            times={"CreationTime": lambda one: one.created, "LastModifiedTime": lambda one: one.modified},
            sorts={
                "CreationTime": lambda one: one.created,
                "Name": lambda one: one.name,
                "Status": lambda one: one.status,
            },
            default_sort="CreationTime",
        )

    def description(self, endpoint: Endpoint) -> dict[str, Any]:
        config = self.store.configs(endpoint.region).get(endpoint.config)
        capture = config.request.get("DataCaptureConfig") if config else None
        pending = None
        if endpoint.pending and endpoint.status in ("Updating", "RollingBack"):
            pending = {name: value for name, value in endpoint.pending.items() if name != "deployment"}
        shown = {
            "EndpointName": endpoint.name,
            "EndpointArn": endpoint.arn,
            "EndpointConfigName": endpoint.config,
            "ProductionVariants": [self._variant_shown(endpoint, variant) for variant in endpoint.variants] or None,
            "DataCaptureConfig": _capture_shown(capture),
            "EndpointStatus": endpoint.status,
            "FailureReason": endpoint.failure,
            "CreationTime": endpoint.created,
            "LastModifiedTime": endpoint.modified,
            "LastDeploymentConfig": endpoint.last_deployment,
            "PendingDeploymentSummary": pending,
        }
        return {name: value for name, value in shown.items() if value is not None}

    def _variant_shown(self, endpoint: Endpoint, variant: Variant) -> dict[str, Any]:
        model = self.store.models(endpoint.region).get(variant.model)
        shown: dict[str, Any] = {"VariantName": variant.name}
        if model is not None:
            container = model.request.get("PrimaryContainer") or model.request["Containers"][0]
            digest = uuid.uuid5(uuid.NAMESPACE_URL, container["Image"]).hex * 2
            resolved = f"{container['Image'].rpartition(':')[0]}@sha256:{digest}"
            shown["DeployedImages"] = [
                {
                    "SpecifiedImage": container["Image"],
                    "ResolvedImage": resolved,
                    "ResolutionTime": endpoint.created,
                }
            ]
        return shown | {
            "CurrentWeight": variant.weight,
            "DesiredWeight": variant.desired_weight,
            "CurrentInstanceCount": variant.instances,
            "DesiredInstanceCount": variant.desired_instances,
        }

    # --- Life ---------------------------------------------------------------------------------------------------------

    def recover(self) -> None:
        """After a restart: what was serving serves again; an update that was under way begins anew."""
        for region in self.store.regions():
            for endpoint in self.store.endpoints(region).values():
                if endpoint.status == "Failed":
                    continue
                if not hasattr(endpoint, "deployed"):  # kept by an older version
                    endpoint.deployed = {}
                self.kernel.background(self._resume, endpoint)

    def instances(self, region: str, name: str, variant: str) -> int | None:
        """ports.endpoints, for Application Auto Scaling: a variant's instance count; None without such a variant."""
        endpoint = self.store.endpoints(region).get(name)
        found = [one for one in endpoint.variants if one.name == variant] if endpoint else []
        return found[0].desired_instances if found else None

    def instance_type(self, region: str, name: str, variant: str) -> str:
        """ports.endpoints: such as ml.m5.large; empty without such a variant."""
        endpoint = self.store.endpoints(region).get(name)
        return next((one.instance_type for one in (endpoint.variants if endpoint else ()) if one.name == variant), "")

    def resize(self, region: str, name: str, variant: str, instances: int) -> bool:
        """ports.endpoints: changes a variant's instance count. False where the endpoint is busy or gone."""
        endpoint = self.store.endpoints(region).get(name)
        with self.store.lock:
            if endpoint is None or endpoint.status != "InService":
                return False
            for one in endpoint.variants:
                if one.name == variant:
                    one.desired_instances = instances
            self._enter(endpoint, "Updating")
        self._tell(endpoint)
        self._resize(endpoint)
        return True

    def tags_changed(self, record: Any) -> None:
        """The tag that tells how long a request takes its instance works at once."""
        if isinstance(record, Endpoint) and (fleet := self.fleets.get((record.region, record.name))):
            for running in (*fleet.blue, *fleet.green):
                running.pace(service_time_s(record.tags))

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
        self._begin(endpoint, "Updating" if was_updating else "InService")
        if endpoint.status != "Updating":
            return
        if pending is not None and "deployment" in pending:
            self._update(endpoint, *pending["deployment"])
        else:
            self._resize(endpoint)

    def _begin(self, endpoint: Endpoint, then: str = "InService") -> None:
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
            self._enter(endpoint, then)
        self._tell(endpoint)

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

    def _update(self, endpoint: Endpoint, request: dict[str, Any], deployment: dict[str, Any]) -> None:
        try:
            made_of: Records = {}
            green = self._load(endpoint, request["EndpointConfigName"], made_of, keep=[])
            _retain(endpoint, green, request)
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
            self._enter(endpoint, "InService" if self._serves(endpoint) else "Failed")
        self._tell(endpoint)

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
        for share in _shares(policy, green):
            self._pending(endpoint, "ActivatingTraffic")
            blue.green, blue.green_share = green.blue, share
            self._pending(endpoint, "Baking")
            deadline = time.monotonic() + wait_s
            while time.monotonic() < deadline or alarms:
                ringing = self._ringing(endpoint.region, alarms)
                if ringing:
                    self._enter(endpoint, "RollingBack")
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
        detail = self.description(endpoint) | {"EndpointStatus": "UPDATING"}
        job_events.emit(self.kernel, endpoint.region, "Endpoint Deployment", detail, endpoint.arn)

    def _ringing(self, region: str, alarms: list[str]) -> list[str]:
        if not alarms:
            return []
        states = self.kernel.ports.metrics.alarm_states(self.kernel.account_id, region, alarms)
        return [name for name in alarms if states.get(name) == "ALARM"]

    def _resize(self, endpoint: Endpoint) -> None:
        fleet = self.fleets.get((endpoint.region, endpoint.name))
        with self.store.lock:
            for variant in endpoint.variants:
                variant.weight, variant.instances = variant.desired_weight, variant.desired_instances
            for running in fleet.blue if fleet else []:
                running.resize(running.variant.instances)
            self._enter(endpoint, "InService")
        self._tell(endpoint)

    def _serves(self, endpoint: Endpoint) -> bool:
        return (endpoint.region, endpoint.name) in self.fleets

    def _idle(self, region: str, name: str) -> Endpoint:
        endpoint = self.store.find(region, "endpoint", name)
        if endpoint.status in UPDATING:
            raise invalid(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        return endpoint

    def _fail(self, endpoint: Endpoint, reason: str) -> None:
        with self.store.lock:
            endpoint.failure = reason[:1024]
            self._enter(endpoint, "Failed")
        self._tell(endpoint)

    def _enter(self, endpoint: Endpoint, status: str) -> None:
        endpoint.status = status
        endpoint.modified = time.time()

    def _tell(self, endpoint: Endpoint) -> None:
        self.store.changed()
        detail = self.description(endpoint)
        detail["EndpointStatus"] = EVENT_STATES.get(endpoint.status, endpoint.status.upper())
        job_events.emit(self.kernel, endpoint.region, "Endpoint", detail, endpoint.arn)


def variant_of(entry: dict[str, Any]) -> Variant:
    weight, count = entry.get("InitialVariantWeight", 1.0), entry["InitialInstanceCount"]
    return Variant(entry["VariantName"], entry["ModelName"], weight, count, entry["InstanceType"], weight, count)


def pending_variant(entry: dict[str, Any], status: str) -> dict[str, Any]:
    """A variant of PendingDeploymentSummary, from one of an endpoint configuration or an earlier summary."""
    weight = entry.get("InitialVariantWeight", entry.get("DesiredWeight", 1.0))
    count = entry.get("InitialInstanceCount", entry.get("DesiredInstanceCount", 1))
    return {
        "VariantName": entry["VariantName"],
        "DesiredWeight": weight,
        "DesiredInstanceCount": count,
        "InstanceType": entry["InstanceType"],
        "VariantStatus": [{"Status": status, "StartTime": time.time()}],
    }


def check_routing(policy: dict[str, Any]) -> None:
    """Raises AwsError for steps that AWS does not take: a canary above half, a linear step outside of 10 to 50 %."""
    for kind, member, least in (("CANARY", "CanarySize", 0), ("LINEAR", "LinearStepSize", 10)):
        if policy.get("Type") != kind:
            continue
        size = policy.get(member)
        if size is None:
            raise invalid(f"A traffic routing of type {kind} needs {member}.")
        if size["Type"] == "CAPACITY_PERCENT" and not least <= size["Value"] <= 50:
            raise invalid(f"{member} must be from {max(least, 1)} to 50 percent of the capacity, got {size['Value']}.")


def _retain(endpoint: Endpoint, green: Fleet, request: dict[str, Any]) -> None:
    """RetainAllVariantProperties: variants of the same name keep instance count and weight."""
    if not request.get("RetainAllVariantProperties"):
        return
    excluded = {one["VariantPropertyType"] for one in request.get("ExcludeRetainedVariantProperties", [])}
    before = {variant.name: variant for variant in endpoint.variants}
    for running in green.blue:
        old, variant = before.get(running.variant.name), running.variant
        if old is None:
            continue
        if "DesiredWeight" not in excluded:
            variant.weight, variant.desired_weight = old.weight, old.desired_weight
        if "DesiredInstanceCount" not in excluded:
            variant.desired_instances = old.desired_instances
            running.resize(old.instances)


def _shares(policy: dict[str, Any], green: Fleet) -> list[float]:
    """The green fleet's share of the traffic, step by step."""
    match policy.get("Type"):
        case "CANARY":
            return [_size(policy.get("CanarySize"), green, 0.1), 1.0]
        case "LINEAR":
            step = max(0.1, _size(policy.get("LinearStepSize"), green, 0.1))
            count = int(1 / step)
            return [round(step * position, 6) for position in range(1, count)] + [1.0]
    return [1.0]


def _size(size: dict[str, Any] | None, green: Fleet, default: float) -> float:
    if not size:
        return default
    if size["Type"] == "CAPACITY_PERCENT":
        return size["Value"] / 100
    instances = sum(running.variant.instances for running in green.blue)
    return min(1.0, size["Value"] / max(1, instances))


def _capture_shown(capture: dict[str, Any] | None) -> dict[str, Any] | None:
    if not capture:
        return None
    return {
        "EnableCapture": capture.get("EnableCapture", True),
        "CaptureStatus": "Started" if capture.get("EnableCapture", True) else "Stopped",
        "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
        "DestinationS3Uri": capture["DestinationS3Uri"],
        "KmsKeyId": capture.get("KmsKeyId", ""),
    }
