"""What is not supported says so by name, and the table of what is supported is true."""

import pytest
from botocore.exceptions import ClientError
from botocore.session import Session

from helpers.offline import operations

# Signing name -> the names of the service models that are signed with it.
MODELS = {
    "monitoring": ["cloudwatch"],
    "tagging": ["resourcegroupstaggingapi"],
    "sagemaker": ["sagemaker", "sagemaker-runtime"],
}


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "name"),
    [
        ("s3", "get_bucket_website", {"Bucket": "b"}, "s3:GetBucketWebsite"),
        ("iam", "create_saml_provider", {"SAMLMetadataDocument": "x" * 1000, "Name": "n"}, "iam:CreateSAMLProvider"),
        ("sts", "get_federation_token", {"Name": "name"}, "sts:GetFederationToken"),
        ("dynamodb", "list_tables", {}, "dynamodb:ListTables"),
        ("ec2", "describe_instances", {}, "ec2:DescribeInstances"),
        ("batch", "list_jobs", {"jobQueue": "q"}, "batch:ListJobs"),
        ("sagemaker", "list_notebook_instances", {}, "sagemaker:ListNotebookInstances"),
    ],
)
def test_an_unsupported_operation_answers_501_and_its_name(offline, service, operation, arguments, name):
    with pytest.raises(ClientError) as caught:
        getattr(offline.client(service), operation)(**arguments)
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert answer["Error"]["Code"] == "NotImplemented"
    assert f"does not support {name}. What it supports: docs/offline-aws.md" in answer["Error"]["Message"]


def test_a_region_that_aws_does_not_have_is_refused_by_name(offline):
    offline.client("sqs", region="eu-central-2").list_queues()
    with pytest.raises(ClientError, match="AWS has no region mars-north-1"):
        offline.client("sqs", region="mars-north-1").list_queues()


def test_every_operation_in_the_table_exists_on_aws():
    modules = operations.collect()
    session = Session()
    for package in modules:
        signing_name = operations.PACKAGES[package]
        known: set[str] = set()
        for model in MODELS.get(signing_name, [signing_name]):
            known |= set(session.get_service_model(model).operation_names)
        assert set(operations.OPERATIONS[signing_name]) - known == set(), signing_name


def test_the_document_is_current():
    said = operations.DOCUMENT.read_text()
    assert said == operations.document(said), "run `python -m helpers.offline operations --write`"
