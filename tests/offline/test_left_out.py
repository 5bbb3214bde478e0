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
