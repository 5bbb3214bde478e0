"""What a start leaves out is there where it is used after all."""

import subprocess
import sys


def run(program: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_a_start_imports_neither_yaml_nor_the_urls_of_all_services_until_they_are_asked_for():
    run(
        "import sys; from helpers.offline import left_out; left_out.leave_out()\n"
        "import responses, moto.core.models\n"
        "assert not {'yaml.reader', 'charset_normalizer.md', 'sklearn.base'} & sys.modules.keys()\n"
        "import yaml; assert yaml.safe_load('a: [1]') == {'a': [1]}\n"
        "from moto.backends import get_service_from_url\n"
        "assert get_service_from_url('https://sns.us-east-1.amazonaws.com') == 'sns'"
    )


def test_an_answer_without_an_encoding_is_still_text():
    run(
        "from helpers.offline import left_out; left_out.leave_out()\n"
        "import requests; answer = requests.Response(); answer._content = 'é'.encode(); assert answer.text == 'é'"
    )


def test_a_service_that_nobody_used_has_no_regions_and_its_model_is_not_read_to_find_that():
    run(
        "from helpers.offline import fallthrough\n"
        "from moto.firehose.models import firehose_backends\n"
        "from moto.core.base_backend import AccountSpecificBackend\n"
        "AccountSpecificBackend._generate_regions = lambda *given: 1 / 0\n"
        "assert fallthrough.regions_in_use(firehose_backends, '123456789012') == {}"
    )


def test_a_service_in_use_has_the_regions_that_hold_something():
    run(
        "from helpers.offline import fallthrough\n"
        "from moto.firehose.models import firehose_backends\n"
        "held = firehose_backends['123456789012']['eu-west-1']\n"
        "assert fallthrough.regions_in_use(firehose_backends, '123456789012') == {'eu-west-1': held}"
    )
