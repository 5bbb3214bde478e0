"""Models and endpoint configurations: what is to be served, and on what."""

from __future__ import annotations

from typing import Any

from helpers.offline.kernel import AwsError, Call, Kernel
from helpers.offline.services.sagemaker import images, model_data, roles
from helpers.offline.services.sagemaker.channels import split_uri
from helpers.offline.services.sagemaker.records import EndpointConfig, Model
from helpers.offline.services.sagemaker.store import Store, invalid, page


class Models:
    def __init__(self, kernel: Kernel, store: Store) -> None:
        self.kernel = kernel
        self.store = store

    def create(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        name = request["ModelName"]
        self.store.refuse_existing(call.region, "model", name)
        container = _only_container(request)
        self._check(call.region, request, container)
        arn = self.store.arn(call.region, "model", name)
        kept = {key: value for key, value in request.items() if key != "Tags"}
        self.store.models(call.region)[name] = Model(arn, kept, list(request.get("Tags", [])))
        return {"ModelArn": arn}

    def describe(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        model = self.store.find(call.region, "model", request["ModelName"])
        shown = {"EnableNetworkIsolation": False, **model.request}
        if "PrimaryContainer" in shown:
            shown["PrimaryContainer"] = _container_shown(shown["PrimaryContainer"])
        else:
            shown["Containers"] = [_container_shown(one) for one in shown["Containers"]]
        return shown | {"CreationTime": model.created, "ModelArn": model.arn}

    def list(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        return page(
            list(self.store.models(call.region).values()),
            request,
            "Models",
            lambda model: {
                "ModelName": model.request["ModelName"],
                "ModelArn": model.arn,
                "CreationTime": model.created,
            },
            name=lambda model: model.request["ModelName"],
            times={"CreationTime": lambda model: model.created},
            sorts={"CreationTime": lambda model: model.created, "Name": lambda model: model.request["ModelName"]},
            default_sort="CreationTime",
        )

    def delete(self, call: Call, request: dict[str, Any]) -> None:
        self.store.find(call.region, "model", request["ModelName"])
        del self.store.models(call.region)[request["ModelName"]]

    def _check(self, region: str, request: dict[str, Any], container: dict[str, Any]) -> None:
        uri = container.get("Image")
        if (uri is None) == ("ModelPackageName" not in container):
            raise invalid("Specify one of either Image and Model Data URL or ModelPackageName in container definition.")
        if uri is None:
            raise AwsError("NotImplemented", "The offline AWS has no model packages.", 501)
        if images.built_in(uri) is None:
            raise AwsError("NotImplemented", images.why_not(uri), 501)
        if container.get("Mode", "SingleModel") != "SingleModel":
            raise AwsError("NotImplemented", "The offline AWS does not serve multi-model containers.", 501)
        if "ExecutionRoleArn" in request:
            roles.check_model_role(self.kernel, request["ExecutionRoleArn"])
        data = model_data.uri_of(container)
        if data is None:
            raise invalid("The container needs ModelDataUrl.")
        self._check_access(region, request.get("ExecutionRoleArn"), data)
        if not model_data.is_there(self.kernel, container):
            raise invalid(f"Could not find model data at {data}.")

    def _check_access(self, region: str, role: str | None, data: str) -> None:
        """Raises AwsError where the bucket is in another region, or the role may not read the object."""
        bucket, key = split_uri(data)
        is_here = self.kernel.ports.objects.region_of(bucket) in (None, region)
        may_read = role is None or roles.refusal(self.kernel, role, "GetObject", bucket, key) is None
        if not (is_here and may_read):
            raise invalid(
                f'Could not access model data at {data}. Please ensure that the role "{role}" exists and that its '
                f'trust relationship policy allows the action "sts:AssumeRole" for the service principal '
                f'"{roles.SERVICE}". Also ensure that the role has "s3:GetObject" permissions and that the object is '
                f"located in {region}. If your Model uses multiple models or uncompressed models, please ensure that "
                'the role has "s3:ListBucket" permission.'
            )


def _only_container(request: dict[str, Any]) -> dict[str, Any]:
    """Raises AwsError."""
    primary, several = request.get("PrimaryContainer"), request.get("Containers")
    if (primary is None) == (not several):
        raise invalid("Specify one of either PrimaryContainer or Containers.")
    if primary is not None:
        return primary
    if len(several or ()) != 1:
        raise AwsError("NotImplemented", "The offline AWS serves models of one container.", 501)
    return several[0]  # type: ignore[index]


def _container_shown(container: dict[str, Any]) -> dict[str, Any]:
    """AWS tells a ModelDataUrl as a ModelDataSource too."""
    shown = {"Mode": "SingleModel", "Environment": {}, **container}
    if "ModelDataUrl" in container:
        source = {"S3Uri": container["ModelDataUrl"], "S3DataType": "S3Object", "CompressionType": "Gzip"}
        shown["ModelDataSource"] = {"S3DataSource": source}
    return shown


class EndpointConfigs:
    def __init__(self, store: Store) -> None:
        self.store = store

    def create(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        name = request["EndpointConfigName"]
        self.store.refuse_existing(call.region, "endpoint-config", name)
        for unsupported in ("AsyncInferenceConfig", "ExplainerConfig", "ShadowProductionVariants"):
            if request.get(unsupported):
                raise AwsError("NotImplemented", f"The offline AWS does not support {unsupported}.", 501)
        variants = request.get("ProductionVariants", [])
        if not variants:
            raise invalid("An endpoint configuration needs ProductionVariants.")
        names = [variant["VariantName"] for variant in variants]
        if len(set(names)) < len(names):
            raise invalid("The names of production variants must be unique.")
        for variant in variants:
            if "ServerlessConfig" in variant:
                raise AwsError("NotImplemented", "The offline AWS does not support serverless variants.", 501)
            for needed in ("ModelName", "InstanceType", "InitialInstanceCount"):
                if needed not in variant:
                    raise invalid(f"The production variant {variant['VariantName']} needs {needed}.")
            self.store.find(call.region, "model", variant["ModelName"])
        arn = self.store.arn(call.region, "endpoint-config", name)
        kept = {key: value for key, value in request.items() if key != "Tags"}
        kept["ProductionVariants"] = [{"InitialVariantWeight": 1.0, **variant} for variant in variants]
        self.store.configs(call.region)[name] = EndpointConfig(arn, kept, list(request.get("Tags", [])))
        return {"EndpointConfigArn": arn}

    def describe(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        config = self.store.find(call.region, "endpoint-config", request["EndpointConfigName"])
        return {
            "EnableNetworkIsolation": False,
            **config.request,
            "EndpointConfigArn": config.arn,
            "CreationTime": config.created,
        }

    def list(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        return page(
            list(self.store.configs(call.region).values()),
            request,
            "EndpointConfigs",
            lambda config: {
                "EndpointConfigName": config.request["EndpointConfigName"],
                "EndpointConfigArn": config.arn,
                "CreationTime": config.created,
            },
            name=lambda config: config.request["EndpointConfigName"],
            times={"CreationTime": lambda config: config.created},
            sorts={
                "CreationTime": lambda config: config.created,
                "Name": lambda config: config.request["EndpointConfigName"],
            },
            default_sort="CreationTime",
        )

    def delete(self, call: Call, request: dict[str, Any]) -> None:
        self.store.find(call.region, "endpoint-config", request["EndpointConfigName"])
        del self.store.configs(call.region)[request["EndpointConfigName"]]
