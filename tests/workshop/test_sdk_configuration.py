"""The SDK's check of its configuration happens once for each configuration, and still refuses what is wrong."""

import jsonschema
import pytest
from sagemaker.core.config.config_manager import SageMakerConfig

from helpers.workshop.sdk_configuration import check_each_configuration_once

GOOD = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}
WRONG = {"SchemaVersion": "1.0", "SageMaker": {"TelemetryOptOut": True}}


@pytest.fixture
def checks(monkeypatch):
    """How often the SDK's own check ran."""
    own, seen = jsonschema.validate, []
    monkeypatch.setattr(SageMakerConfig, "validate_sagemaker_config", staticmethod(_own_check()))
    monkeypatch.setattr(jsonschema, "validate", lambda *given: (seen.append(given[0]), own(*given))[1])
    check_each_configuration_once()
    return seen


def _own_check():
    check = SageMakerConfig.validate_sagemaker_config
    return getattr(check, "of", check)


def test_an_unchanged_configuration_is_checked_once(checks):
    check_each_configuration_once()  # asked for with every session
    for _ in range(3):
        SageMakerConfig().validate_sagemaker_config(dict(GOOD))
    assert checks == [GOOD]


def test_a_wrong_configuration_is_refused_each_time_in_the_sdks_words(checks):
    for _ in range(2):
        with pytest.raises(jsonschema.ValidationError, match="TelemetryOptOut"):
            SageMakerConfig().validate_sagemaker_config(WRONG)
    assert checks == [WRONG, WRONG]


def test_a_changed_configuration_is_checked_again(checks):
    SageMakerConfig().validate_sagemaker_config(GOOD)
    with pytest.raises(jsonschema.ValidationError):
        SageMakerConfig().validate_sagemaker_config(WRONG)
