"""What runs inside a training job: programs that read a job directory and leave a model, log lines and an exit code."""
