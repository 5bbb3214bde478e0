"""The offline AWS: one local process that botocore, the AWS CLI and the SageMaker SDK talk to as they talk to AWS."""
