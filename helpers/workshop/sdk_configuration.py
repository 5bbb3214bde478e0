"""The SageMaker SDK checks its configuration file each time it looks a value up; here, each configuration once."""

import json
from functools import lru_cache


def check_each_configuration_once() -> None:
    """Starting one training job looks up a dozen values, and each check of the unchanged file takes 0.05 to 0.1 s.

    What is checked, and the errors for a file that is wrong, are the SDK's own.
    """
    from sagemaker.core.config.config_manager import SageMakerConfig

    check = SageMakerConfig.validate_sagemaker_config
    if hasattr(check, "of"):
        return

    @lru_cache(64)
    def check_text(text: str) -> None:
        check(json.loads(text))

    def validate_sagemaker_config(sagemaker_config: dict | None = None) -> None:
        try:
            text = json.dumps(sagemaker_config, sort_keys=True)
        except TypeError:  # a configuration made in code may hold anything
            return check(sagemaker_config)
        return check_text(text)

    validate_sagemaker_config.of = check
    SageMakerConfig.validate_sagemaker_config = staticmethod(validate_sagemaker_config)
