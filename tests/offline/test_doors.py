"""Only this machine, and no web page, reaches the offline AWS."""

import json
import socket

import pytest
import requests

from helpers.offline import doors


@pytest.mark.parametrize("host", ["evil.example", "evil.example:4710", "169.254.169.254", "127.0.0.1.evil.example", ""])
def test_a_rebound_host_name_is_refused(offline, host):
    for path in ("/", "/_workshop/ping", "/restapis/abc/prod/_user_request_/x"):
        answer = requests.get(offline.endpoint_url + path, headers={"Host": host}, timeout=30)
        assert answer.status_code in (400, 403), path


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_a_web_page_is_refused(offline, headers):
    form = headers | {"Content-Type": "application/x-www-form-urlencoded"}
    answer = requests.post(offline.endpoint_url + "/", data="Action=ListTopics", headers=form, timeout=30)
    assert answer.status_code == 403
    assert "Web pages may not call" in answer.text


@pytest.mark.parametrize(
    "host", ["127.0.0.1:4710", "localhost:1", "[::1]:80", "abc.execute-api.us-east-1.amazonaws.com"]
)
def test_loopback_names_and_api_gateways_are_local(host):
    assert doors.is_local(host)


def test_it_listens_on_the_loopback_interface_only(offline):
    import psutil

    pid = json.loads((offline.directory / "offline.json").read_text())["pid"]
    listening = [entry for entry in psutil.Process(pid).net_connections("inet") if entry.status == psutil.CONN_LISTEN]
    assert [entry.laddr.ip for entry in listening] == ["127.0.0.1"]


def test_its_own_interface_asks_for_the_secret(offline):
    for method, path in (("GET", "/_workshop/status"), ("POST", "/_workshop/stop")):
        answer = requests.request(
            method,
            offline.endpoint_url + path,
            headers={"x-workshop-proof": "0" * 64, "x-workshop-time": "0"},
            timeout=30,
        )
        assert answer.status_code == 403
    assert requests.get(offline.endpoint_url + "/_workshop/ping?x", timeout=30).status_code == 200


def test_rubbish_on_the_socket_does_no_harm(offline):
    port = int(offline.endpoint_url.rpartition(":")[2])
    for rubbish in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 100):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(rubbish)
    assert offline.client("sts").get_caller_identity()["Account"] == "123456789012"
