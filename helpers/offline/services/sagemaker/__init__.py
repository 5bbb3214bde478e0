"""SageMaker: training jobs in processes of their own, tuning jobs, and endpoints that serve the trained models."""

from __future__ import annotations

from helpers.offline.kernel import Kernel, Support

REAL = Support("real")

OPERATIONS = {
    "CreateTrainingJob": Support(
        "real",
        "Built-in XGBoost (1.0-1 to 3.2-0, all trained by xgboost 3.2.0), Linear Learner and k-NN (programs of "
        "the offline AWS with the same hyperparameters), from S3, in File or FastFile mode; XGBoost on up to 8 "
        "instances, each a process, with xgboost's own collective between them, the others on one; checkpoints are "
        "copied when the algorithm has ended; no script mode, no warm pools, no spot interruptions",
    ),
    "DescribeTrainingJob": REAL,
    "ListTrainingJobs": REAL,
    "StopTrainingJob": REAL,
    "DeleteTrainingJob": REAL,
    "CreateHyperParameterTuningJob": Support(
        "real",
        "Random, Grid, Bayesian (Gaussian process of scikit-learn, expected improvement) and Hyperband (asynchronous "
        "successive halving); early stopping by the median rule; warm start; no autotune, several definitions or "
        "detection of convergence",
    ),
    "DescribeHyperParameterTuningJob": REAL,
    "ListHyperParameterTuningJobs": REAL,
    "ListTrainingJobsForHyperParameterTuningJob": REAL,
    "StopHyperParameterTuningJob": REAL,
    "DeleteHyperParameterTuningJob": REAL,
    "CreateModel": Support("real", "one container of a built-in algorithm"),
    "DescribeModel": REAL,
    "ListModels": REAL,
    "DeleteModel": REAL,
    "CreateEndpointConfig": Support("real", "instance variants; no serverless, asynchronous or shadow variants"),
    "DescribeEndpointConfig": REAL,
    "ListEndpointConfigs": REAL,
    "DeleteEndpointConfig": REAL,
    "CreateEndpoint": Support("real", "models are loaded into the server; a broken one fails at once, with the reason"),
    "UpdateEndpoint": Support("real", "blue/green at once, canary or linear, with alarms and rollback; not rolling"),
    "UpdateEndpointWeightsAndCapacities": REAL,
    "DescribeEndpoint": Support("real", "image digests are made up"),
    "ListEndpoints": REAL,
    "DeleteEndpoint": REAL,
    "InvokeEndpoint": Support(
        "real",
        "the log holds a container's errors, not a line for each request; a tag `offline-service-time-ms` of the "
        "endpoint gives its instances queues",
    ),
    "AddTags": REAL,
    "ListTags": Support("real", "one page"),
    "DeleteTags": REAL,
}


def install(kernel: Kernel) -> None:
    from helpers.offline.services.sagemaker.capture import Capture
    from helpers.offline.services.sagemaker.deployments import Deployments
    from helpers.offline.services.sagemaker.endpoint_utilization import EVERY_S, EndpointUtilization
    from helpers.offline.services.sagemaker.endpoints import Endpoints
    from helpers.offline.services.sagemaker.invocation_metrics import InvocationMetrics
    from helpers.offline.services.sagemaker.invocations import Invocations
    from helpers.offline.services.sagemaker.json_calls import answering
    from helpers.offline.services.sagemaker.models import EndpointConfigs, Models
    from helpers.offline.services.sagemaker.store import Store
    from helpers.offline.services.sagemaker.tags import Tags
    from helpers.offline.services.sagemaker.training_jobs import TrainingJobs
    from helpers.offline.services.sagemaker.tuning_jobs import TuningJobs

    store = Store(kernel)
    jobs, models, configs = TrainingJobs(kernel, store), Models(kernel, store), EndpointConfigs(store)
    tuning = TuningJobs(kernel, store, jobs)
    deployments = Deployments(kernel, store)
    endpoints = Endpoints(kernel, store, deployments)
    tags = Tags(store, endpoints.tags_changed)
    metrics, capture = InvocationMetrics(kernel), Capture(kernel)
    kernel.ports.endpoints = endpoints
    operations = {
        "CreateTrainingJob": jobs.create,
        "DescribeTrainingJob": jobs.describe,
        "ListTrainingJobs": jobs.list,
        "StopTrainingJob": jobs.stop,
        "DeleteTrainingJob": jobs.delete,
        "CreateHyperParameterTuningJob": tuning.create,
        "DescribeHyperParameterTuningJob": tuning.describe,
        "ListHyperParameterTuningJobs": tuning.list,
        "ListTrainingJobsForHyperParameterTuningJob": tuning.list_children,
        "StopHyperParameterTuningJob": tuning.stop,
        "DeleteHyperParameterTuningJob": tuning.delete,
        "CreateModel": models.create,
        "DescribeModel": models.describe,
        "ListModels": models.list,
        "DeleteModel": models.delete,
        "CreateEndpointConfig": configs.create,
        "DescribeEndpointConfig": configs.describe,
        "ListEndpointConfigs": configs.list,
        "DeleteEndpointConfig": configs.delete,
        "CreateEndpoint": endpoints.create,
        "DescribeEndpoint": endpoints.describe,
        "ListEndpoints": endpoints.list,
        "UpdateEndpoint": endpoints.update,
        "UpdateEndpointWeightsAndCapacities": endpoints.update_weights,
        "DeleteEndpoint": endpoints.delete,
        "AddTags": tags.add,
        "ListTags": tags.list,
        "DeleteTags": tags.delete,
    }
    for name, operation in operations.items():
        kernel.hot("sagemaker", name, answering(operation), blocking=True)
    kernel.hot("sagemaker", "InvokeEndpoint", Invocations(kernel, deployments, metrics, capture).invoke)
    kernel.on_start(tuning.recover)
    kernel.on_start(jobs.recover)
    kernel.on_start(deployments.recover)
    kernel.on_stop(jobs.end)
    kernel.on_stop(metrics.flush)
    kernel.on_start(capture.recover)
    kernel.on_stop(capture.flush)
    kernel.synced(capture.outbox.sync)
    kernel.every(0.25, metrics.flush, name="sagemaker-metrics")
    kernel.every(EVERY_S, EndpointUtilization(kernel, deployments).put, name="sagemaker-utilization")
    kernel.every(5.0, capture.flush, name="sagemaker-capture")
