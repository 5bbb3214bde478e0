"""Set-up and teardown of what the labs use on AWS: one module per lab, plain boto3, safe to run again."""
