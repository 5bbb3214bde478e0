"""Endpoints: CreateEndpoint, UpdateEndpoint, DeleteEndpoint, weights and capacities; what is checked before."""

from __future__ import annotations

import time
from typing import Any

from helpers.offline.actions import Need
from helpers.offline.authorization import Authorizer
from helpers.offline.kernel import AwsError, Call, Kernel
from helpers.offline.services.sagemaker.deployments import Deployments
from helpers.offline.services.sagemaker.endpoint_descriptions import description, pending_variant
from helpers.offline.services.sagemaker.records import Endpoint
from helpers.offline.services.sagemaker.serving.instances import service_time_s
from helpers.offline.services.sagemaker.store import Store, invalid, page
from helpers.offline.services.sagemaker.traffic_shifting import check_routing

UPDATING = ("Creating", "Updating", "RollingBack", "SystemUpdating", "Deleting")


class Endpoints:
    def __init__(self, kernel: Kernel, store: Store, deployments: Deployments) -> None:
        self.kernel = kernel
        self.store = store
        self.deployments = deployments

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
        self.deployments.tell(endpoint)
        self.kernel.background(self.deployments.begin, endpoint)
        return {"EndpointArn": endpoint.arn}

    def update(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        endpoint = self._idle(call.region, request["EndpointName"])
        config = self.store.find(call.region, "endpoint-config", request["EndpointConfigName"])
        self.store.find(call.region, "endpoint-config", endpoint.config)  # AWS updates from it, and needs it
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
            self.deployments.enter(endpoint, "Updating")
        self.deployments.tell(endpoint)
        self.kernel.background(self.deployments.update, endpoint, request, deployment or {})
        return {"EndpointArn": endpoint.arn}

    def update_weights(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        endpoint = self._idle(call.region, request["EndpointName"])
        variants = {variant.name: variant for variant in endpoint.variants}
        wanted = request["DesiredWeightsAndCapacities"]
        for entry in wanted:
            if entry["VariantName"] not in variants:
                raise invalid(f'Could not find production variant "{entry["VariantName"]}" of "{endpoint.arn}".')
            if entry.get("DesiredInstanceCount") == 0:
                raise invalid(f'DesiredInstanceCount of variant "{entry["VariantName"]}" must be at least 1.')
        with self.store.lock:
            for entry in wanted:
                variant = variants[entry["VariantName"]]
                variant.desired_weight = entry.get("DesiredWeight", variant.desired_weight)
                variant.desired_instances = entry.get("DesiredInstanceCount", variant.desired_instances)
            self.deployments.enter(endpoint, "Updating")
        self.deployments.tell(endpoint)
        self.kernel.background(self.deployments.resize, endpoint)
        return {"EndpointArn": endpoint.arn}

    def delete(self, call: Call, request: dict[str, Any]) -> None:
        endpoint = self.store.find(call.region, "endpoint", request["EndpointName"])
        self._check_may_deregister(call, endpoint)
        with self.store.lock:
            if endpoint.status in UPDATING:
                raise invalid(f'Cannot update in-progress endpoint "{endpoint.arn}".')
            self.store.endpoints(call.region).pop(endpoint.name, None)
            self.deployments.fleets.pop((call.region, endpoint.name), None)
        self.kernel.ports.scaling.forget_endpoint(call.region, endpoint.name)
        endpoint.status = "Deleting"
        self.deployments.tell(endpoint)

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
        return description(self.store.find(call.region, "endpoint", request["EndpointName"]))

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

    # --- ports.endpoints, for Application Auto Scaling, and tags -----------------------------------------------------

    def instances(self, region: str, name: str, variant: str) -> int | None:
        """A variant's instance count; None without such a variant."""
        endpoint = self.store.endpoints(region).get(name)
        found = [one for one in endpoint.variants if one.name == variant] if endpoint else []
        return found[0].desired_instances if found else None

    def instance_type(self, region: str, name: str, variant: str) -> str:
        """Such as ml.m5.large; empty without such a variant."""
        endpoint = self.store.endpoints(region).get(name)
        return next((one.instance_type for one in (endpoint.variants if endpoint else ()) if one.name == variant), "")

    def resize(self, region: str, name: str, variant: str, instances: int) -> bool:
        """Changes a variant's instance count. False where the endpoint is busy or gone."""
        endpoint = self.store.endpoints(region).get(name)
        with self.store.lock:
            if endpoint is None or endpoint.status != "InService":
                return False
            for one in endpoint.variants:
                if one.name == variant:
                    one.desired_instances = instances
            self.deployments.enter(endpoint, "Updating")
        self.deployments.tell(endpoint)
        self.deployments.resize(endpoint)
        return True

    def tags_changed(self, record: Any) -> None:
        """The tag that tells how long a request takes its instance works at once."""
        if isinstance(record, Endpoint) and (fleet := self.deployments.fleets.get((record.region, record.name))):
            for running in (*fleet.blue, *fleet.green):
                running.pace(service_time_s(record.tags))

    def _idle(self, region: str, name: str) -> Endpoint:
        endpoint = self.store.find(region, "endpoint", name)
        if endpoint.status in UPDATING:
            raise invalid(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        return endpoint
