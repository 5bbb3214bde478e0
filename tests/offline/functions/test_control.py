"""Creating, changing and describing functions, and what is refused on the way."""

import io
import json
import zipfile

import pytest
from botocore.exceptions import ClientError

ONE = "def handler(e, c):\n    return 1\n"


def call(client, name, **options):
    return json.loads(client.invoke(FunctionName=name, **options)["Payload"].read())


@pytest.fixture
def create(client, role, make_zip):
    """create(**changes) -> the refusal."""

    def attempt(**changes) -> ClientError:
        settings = {"Runtime": "python3.13", "Handler": "app.handler", "Role": role, "FunctionName": "refused"}
        settings |= {"Code": {"ZipFile": make_zip({"app.py": ONE})}} | changes
        with pytest.raises(ClientError) as refused:
            client.create_function(**settings)
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.get_function(FunctionName=settings["FunctionName"])
        return refused.value

    return attempt


def test_what_was_created_is_described(client, make_function, role):
    name = make_function(ONE, Description="of the tests", MemorySize=512, Tags={"participant": "amber-falcon"})
    described = client.get_function(FunctionName=name)
    configuration = described["Configuration"]
    assert configuration["FunctionName"] == name
    assert configuration["FunctionArn"] == f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
    assert configuration["Role"] == role
    assert configuration["State"] == "Active"
    assert (configuration["MemorySize"], configuration["Timeout"]) == (512, 5)
    assert described["Tags"] == {"participant": "amber-falcon"}
    assert name in [each["FunctionName"] for each in client.list_functions()["Functions"]]
    client.get_waiter("function_active_v2").wait(FunctionName=name)


def test_a_name_is_taken_once(client, make_function, role, make_zip):
    name = make_function(ONE)
    with pytest.raises(client.exceptions.ResourceConflictException, match="Function already exist"):
        client.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="app.handler",
            Role=role,
            Code={"ZipFile": make_zip({"app.py": ONE})},
        )


def test_code_from_s3(client, make_function, offline, make_zip):
    s3 = offline.client("s3")
    s3.create_bucket(Bucket="function-code")
    s3.put_object(Bucket="function-code", Key="app.zip", Body=make_zip({"app.py": ONE.replace("1", "'s3'")}))
    name = make_function(ONE)
    client.update_function_code(FunctionName=name, S3Bucket="function-code", S3Key="app.zip")
    assert call(client, name) == "s3"
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="S3 Error Code: NoSuchKey"):
        client.update_function_code(FunctionName=name, S3Bucket="function-code", S3Key="none")
    assert call(client, name) == "s3"


@pytest.mark.parametrize(
    "changes,code,words",
    [
        ({"Timeout": 901}, "ValidationException", "less than or equal to 900"),
        ({"MemorySize": 10241}, "ValidationException", "less than or equal to 10240"),
        ({"Role": "arn:aws:iam::123456789012:role/nobody"}, "InvalidParameterValueException", "cannot be assumed"),
        ({"Role": "nobody"}, "ValidationException", "regular expression"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "InvalidParameterValueException", "request: AWS_REGION"),
        ({"Environment": {"Variables": {"A1": "x" * 5000}}}, "InvalidParameterValueException", "4KB limit"),
        ({"Environment": {"Variables": {"1A": "x"}}}, "ValidationException", "Map keys must satisfy"),
        ({"Code": {"ZipFile": b"no zip"}}, "InvalidParameterValueException", "Could not unzip uploaded file"),
        ({"Code": {"ZipFile": b""}}, "InvalidParameterValueException", "non-empty zip"),
        ({"Runtime": "nodejs22.x"}, "NotImplemented", "runtime nodejs22.x"),
        ({"Layers": ["arn:aws:lambda:us-east-1:123456789012:layer:x:1"]}, "NotImplemented", "layers"),
        ({"PackageType": "Image", "Code": {"ImageUri": "x"}}, "NotImplemented", "container images"),
    ],
)
def test_what_is_refused(create, changes, code, words):
    error = create(**changes).response["Error"]
    assert error["Code"] == code
    assert words in error["Message"]


@pytest.mark.parametrize(
    "name", ["../escaped.py", "/tmp/escaped.py", "a/../../escaped.py", "..\\escaped.py", "C:/x.py"]
)
def test_a_zip_that_leaves_its_folder_is_refused(create, make_zip, name):
    error = create(Code={"ZipFile": make_zip({"app.py": ONE, name: "escaped"})}).response["Error"]
    assert error["Code"] == "InvalidParameterValueException"
    assert "outside of the package" in error["Message"]


def test_a_zip_with_a_symbolic_link_is_refused(create):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("secrets")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc")
    assert "symbolic link" in create(Code={"ZipFile": buffer.getvalue()}).response["Error"]["Message"]


def test_a_zip_bomb_is_refused_before_it_is_unpacked(create):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("zeros", "w") as zeros:
        for _ in range(260):
            zeros.write(bytes(1 << 20))
    error = create(Code={"ZipFile": buffer.getvalue()}).response["Error"]
    assert "Unzipped size must be smaller than 262144000 bytes" in error["Message"]


def test_versions_keep_code_and_aliases_choose(client, make_function, make_zip):
    source = "def handler(e, c):\n    return ['one', c.function_version]\n"
    name = make_function(source)
    first = client.publish_version(FunctionName=name)["Version"]
    client.update_function_code(FunctionName=name, ZipFile=make_zip({"app.py": source.replace("one", "two")}))
    second = client.publish_version(FunctionName=name)["Version"]
    assert [each["Version"] for each in client.list_versions_by_function(FunctionName=name)["Versions"]] == [
        "$LATEST",
        first,
        second,
    ]
    client.create_alias(FunctionName=name, Name="live", FunctionVersion=first)
    assert call(client, name) == ["two", "$LATEST"]
    assert call(client, name, Qualifier=first) == ["one", first]
    assert call(client, f"{name}:live") == ["one", first]
    client.update_alias(FunctionName=name, Name="live", FunctionVersion=second)
    assert call(client, name, Qualifier="live") == ["two", second]
    weights = {"AdditionalVersionWeights": {first: 1.0}}
    client.update_alias(FunctionName=name, Name="live", FunctionVersion=second, RoutingConfig=weights)
    assert call(client, name, Qualifier="live") == ["one", first]
    with pytest.raises(client.exceptions.ResourceNotFoundException, match=f"{name}:none"):
        call(client, name, Qualifier="none")


def test_permissions_are_added_once_shown_and_removed(client, make_function):
    name = make_function(ONE)
    statement = {
        "FunctionName": name,
        "StatementId": "topic",
        "Action": "lambda:InvokeFunction",
        "Principal": "sns.amazonaws.com",
        "SourceArn": "arn:aws:sns:us-east-1:123456789012:samples",
    }
    client.add_permission(**statement)
    with pytest.raises(
        client.exceptions.ResourceConflictException, match="The statement id \\(topic\\) provided already"
    ):
        client.add_permission(**statement)
    (shown,) = json.loads(client.get_policy(FunctionName=name)["Policy"])["Statement"]
    assert shown["Principal"] == {"Service": "sns.amazonaws.com"}
    assert shown["Resource"].endswith(f":function:{name}")
    assert "arn:aws:sns:us-east-1:123456789012:samples" in json.dumps(shown["Condition"])
    client.remove_permission(FunctionName=name, StatementId="topic")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_policy(FunctionName=name)


def test_tags(client, make_function):
    arn = client.get_function(FunctionName=make_function(ONE))["Configuration"]["FunctionArn"]
    client.tag_resource(Resource=arn, Tags={"workshop": "robot-fulfillment", "lab": "3"})
    client.untag_resource(Resource=arn, TagKeys=["lab"])
    assert client.list_tags(Resource=arn)["Tags"] == {"workshop": "robot-fulfillment"}


def test_what_lambda_does_not_do_offline_says_so(client, make_function):
    with pytest.raises(ClientError, match="CreateFunctionUrlConfig") as refused:
        client.create_function_url_config(FunctionName=make_function(ONE), AuthType="NONE")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_a_revision_is_another_after_a_change_and_guards_the_next_one(client, make_function):
    name = make_function("def handler(event, context): return 1")
    first = client.get_function_configuration(FunctionName=name)
    assert first["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"}
    changed = client.update_function_configuration(FunctionName=name, Timeout=4, RevisionId=first["RevisionId"])
    assert changed["RevisionId"] != first["RevisionId"]
    assert client.get_function(FunctionName=name)["Configuration"]["RevisionId"] == changed["RevisionId"]
    with pytest.raises(client.exceptions.PreconditionFailedException):
        client.update_function_configuration(FunctionName=name, Timeout=5, RevisionId=first["RevisionId"])


def test_permissions_for_roles_and_accounts_are_written_as_policies_write_them(client, make_function, role):
    name = make_function("def handler(event, context): return 1")
    for sid, principal, written in (
        ("role", role, {"AWS": role}),
        ("account", "123456789012", {"AWS": "arn:aws:iam::123456789012:root"}),
        ("service", "s3.amazonaws.com", {"Service": "s3.amazonaws.com"}),
    ):
        asked = {"FunctionName": name, "StatementId": sid, "Action": "lambda:InvokeFunction"}
        told = client.add_permission(**asked, Principal=principal)
        assert json.loads(told["Statement"])["Principal"] == written
    with pytest.raises(ClientError, match="The provided principal was invalid"):
        client.add_permission(**asked | {"StatementId": "none"}, Principal=role + "-none")


@pytest.mark.parametrize(
    "configuration",
    [{"SnapStart": {"ApplyOn": "PublishedVersions"}}, {"LoggingConfig": {"LogFormat": "JSON"}}],
)
def test_what_would_be_forgotten_is_refused_by_name(make_function, configuration):
    with pytest.raises(ClientError, match="does not support") as caught:
        make_function("def handler(event, context): return 1", **configuration)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
