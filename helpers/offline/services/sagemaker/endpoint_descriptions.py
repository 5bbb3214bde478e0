"""What DescribeEndpoint and the events tell of an endpoint."""

from __future__ import annotations

import time
import uuid
from typing import Any

from helpers.offline.services.sagemaker.records import Endpoint, Variant


def description(endpoint: Endpoint) -> dict[str, Any]:
    config = endpoint.deployed.get(("endpoint-config", endpoint.config))
    capture = config.request.get("DataCaptureConfig") if config else None
    pending = None
    if endpoint.pending and endpoint.status in ("Updating", "RollingBack"):
        pending = {name: value for name, value in endpoint.pending.items() if name != "deployment"}
    shown = {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "EndpointConfigName": endpoint.config,
        "ProductionVariants": [_variant_shown(endpoint, variant) for variant in endpoint.variants] or None,
        "DataCaptureConfig": _capture_shown(capture),
        "EndpointStatus": endpoint.status,
        "FailureReason": endpoint.failure,
        "CreationTime": endpoint.created,
        "LastModifiedTime": endpoint.modified,
        "LastDeploymentConfig": endpoint.last_deployment,
        "PendingDeploymentSummary": pending,
    }
    return {name: value for name, value in shown.items() if value is not None}


def _variant_shown(endpoint: Endpoint, variant: Variant) -> dict[str, Any]:
    model = endpoint.deployed.get(("model", variant.model))
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
    config = endpoint.deployed.get(("endpoint-config", endpoint.config))
    for entry in config.request["ProductionVariants"] if config else ():
        if entry["VariantName"] == variant.name and "RoutingConfig" in entry:
            shown["RoutingConfig"] = entry["RoutingConfig"]
    return shown | {
        "CurrentWeight": variant.weight,
        "DesiredWeight": variant.desired_weight,
        "CurrentInstanceCount": variant.instances,
        "DesiredInstanceCount": variant.desired_instances,
    }


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
