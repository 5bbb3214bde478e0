"""The functions that the labs zip and deploy: one small file each, standard library and boto3 only."""
