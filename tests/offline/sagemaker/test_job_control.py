"""Control of jobs under haste: the same name at once, Stop in every state, names that are used again, and lists."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from botocore.exceptions import ClientError

ENDLESS = {"num_round": "1000000"}


def together(number, call):
    """What `number` threads got from `call(i)`: an answer, or the code and words of the refusal."""

    def one(i):
        try:
            return call(i)
        except ClientError as error:
            return error.response["Error"]["Code"], error.response["Error"]["Message"]

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


def steps(job):
    return [step["Status"] for step in job["SecondaryStatusTransitions"]]


def has_reached(described, secondary):
    order = ("Starting", "Downloading", "Training", "Uploading", "Completed")
    return order.index(described()["SecondaryStatus"]) >= order.index(secondary)


def stop(sagemaker, name):
    sagemaker.client.stop_training_job(TrainingJobName=name)
    return sagemaker.wait(name)


@pytest.fixture
def started(sagemaker, channels):
    """`started(hyperparameters)` -> the name of a job that was just created."""

    def start(hyperparameters=ENDLESS, **changes):
        request = sagemaker.request({"train": channels["train"]}, hyperparameters, **changes)
        sagemaker.client.create_training_job(**request)
        return request["TrainingJobName"]

    return start


def test_of_many_jobs_with_one_name_exactly_one_is_made(sagemaker, channels, unique):
    name = unique("race")
    clients = [sagemaker.offline.client("sagemaker") for _ in range(8)]

    def create(i):
        spelled = name if i % 2 else name.upper()
        request = sagemaker.request({"train": channels["train"]}, {"num_round": "1"}, TrainingJobName=spelled)
        return clients[i].create_training_job(**request)["TrainingJobArn"]

    found = together(8, create)
    (arn,) = [one for one in found if isinstance(one, str)]
    told = {one for one in found if not isinstance(one, str)}
    assert told == {
        (
            "ResourceInUse",
            "Training job names must be unique within an AWS account and region, and a training job with this name "
            f"already exists ({arn})",
        )
    }


def test_of_many_tuning_jobs_with_one_name_exactly_one_is_made(sagemaker, channels, unique):
    name = unique("race")
    clients = [sagemaker.offline.client("sagemaker") for _ in range(6)]
    given = sagemaker.request({key: channels[key] for key in ("train", "validation")}, {})
    kept = ("RoleArn", "InputDataConfig", "OutputDataConfig", "ResourceConfig", "StoppingCondition")
    request = {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:rmse"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 1},
            "ParameterRanges": {"IntegerParameterRanges": [{"Name": "max_depth", "MinValue": "1", "MaxValue": "3"}]},
        },
        "TrainingJobDefinition": {key: given[key] for key in kept}
        | {"AlgorithmSpecification": given["AlgorithmSpecification"], "StaticHyperParameters": ENDLESS},
    }
    found = together(6, lambda i: clients[i].create_hyper_parameter_tuning_job(**request)["HyperParameterTuningJobArn"])
    assert sum(isinstance(one, str) for one in found) == 1
    refusal = f"A hyperparameter tuning job with the name, {name}, already exists. Choose a different name."
    assert {one for one in found if not isinstance(one, str)} == {("ResourceInUse", refusal)}
    sagemaker.client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)


def test_a_job_that_is_stopped_as_it_starts_never_trains(sagemaker, started):
    for _ in range(5):
        job = stop(sagemaker, started())
        assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Stopped"
        assert steps(job)[-2:] == ["Stopping", "Stopped"] and steps(job)[0] == "Starting"
        assert [step for step in steps(job) if step == "Stopping"] == ["Stopping"]


def test_jobs_that_wait_for_a_place_can_be_stopped(sagemaker, started):
    names = [started() for _ in range(6)]  # more than work at once on this machine
    waiting = [
        name
        for name in names
        if sagemaker.client.describe_training_job(TrainingJobName=name)["SecondaryStatus"] == "Starting"
    ]
    assert waiting
    job = stop(sagemaker, waiting[-1])
    assert steps(job) == ["Starting", "Stopping", "Stopped"] and "TrainingStartTime" not in job
    for name in names:
        if name != waiting[-1]:
            assert stop(sagemaker, name)["TrainingJobStatus"] == "Stopped"


def test_a_stop_that_is_accepted_is_never_answered_by_completed(sagemaker, started, eventually):
    """At any moment of a short job's life: it ends as Stopped, or the stop was refused because it had ended."""
    ends = set()
    for round_ in range(8):
        name = started({"num_round": str(1 + 40 * round_)})
        described = partial(sagemaker.client.describe_training_job, TrainingJobName=name)
        wanted = ("Downloading", "Training", "Uploading", "Completed")[round_ % 4]
        eventually(partial(has_reached, described, wanted), 60)
        try:
            sagemaker.client.stop_training_job(TrainingJobName=name)
        except ClientError as error:
            message = "The request was rejected because the training job is in status Completed."
            assert error.response["Error"]["Message"] == message
            assert described()["TrainingJobStatus"] == "Completed"
        else:
            job = sagemaker.wait(name)
            assert (job["TrainingJobStatus"], steps(job)[-2:]) == ("Stopped", ["Stopping", "Stopped"])
        ends.add(described()["TrainingJobStatus"])
    assert ends == {"Stopped", "Completed"}


def test_many_stops_at_once_are_one_stop(sagemaker, started, eventually):
    name = started()
    described = partial(sagemaker.client.describe_training_job, TrainingJobName=name)
    eventually(lambda: described()["SecondaryStatus"] == "Training", 60)
    clients = [sagemaker.offline.client("sagemaker") for _ in range(6)]
    together(6, lambda i: clients[i].stop_training_job(TrainingJobName=name))
    job = sagemaker.wait(name)
    assert steps(job)[-2:] == ["Stopping", "Stopped"] and steps(job).count("Stopping") == 1


def test_a_deleted_jobs_name_is_free_again(sagemaker, channels, started):
    name = started()
    with pytest.raises(ClientError, match="in status InProgress"):
        sagemaker.client.delete_training_job(TrainingJobName=name)
    stop(sagemaker, name)
    for _ in range(3):
        sagemaker.client.delete_training_job(TrainingJobName=name)
        with pytest.raises(ClientError, match=r"Requested resource not found\."):
            sagemaker.client.describe_training_job(TrainingJobName=name)
        job = sagemaker.train({"train": channels["train"]}, {"num_round": "1"}, TrainingJobName=name)
        assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")


def test_a_description_is_of_one_moment(sagemaker, started):
    """Status and secondary status belong together in whatever moment one looks."""
    name, seen = started({"num_round": "20"}), set()
    ended = ("Completed", "Failed", "Stopped")
    while not seen or seen.isdisjoint({(one, one) for one in ended}):
        job = sagemaker.client.describe_training_job(TrainingJobName=name)
        seen.add((job["TrainingJobStatus"], job["SecondaryStatus"]))
        assert ("TrainingEndTime" in job) == (job["TrainingJobStatus"] in ended)
        assert job["SecondaryStatusTransitions"][-1]["Status"] == job["SecondaryStatus"]
    assert {status for status, secondary in seen if secondary not in ended} == {"InProgress"}


@pytest.fixture(scope="module")
def five(sagemaker, channels):
    """Names of five jobs, oldest first, whose middle one failed."""
    names = []
    for number in range(5):
        given = {"num_round": "1" if number != 2 else "0"}
        name = f"listed-{number}-{sagemaker.bucket}"
        sagemaker.train({"train": channels["train"]}, given, TrainingJobName=name)
        names.append(name)
    return names


def listed(sagemaker, **more):
    answer = sagemaker.client.list_training_jobs(NameContains=f"-{sagemaker.bucket}", **more)
    return [job["TrainingJobName"] for job in answer["TrainingJobSummaries"]], answer.get("NextToken")


def test_a_status_chooses_among_the_jobs_of_a_page_as_the_api_reference_says(sagemaker, five):
    assert listed(sagemaker, StatusEquals="Failed") == ([five[2]], None)
    names, token = listed(sagemaker, StatusEquals="Failed", MaxResults=2)
    assert names == [] and token
    names, token = listed(sagemaker, StatusEquals="Failed", MaxResults=2, NextToken=token)
    assert names == [five[2]] and token
    assert listed(sagemaker, StatusEquals="Failed", MaxResults=2, NextToken=token) == ([], None)


@pytest.mark.parametrize("by", ["CreationTime", "Name", "Status"])
@pytest.mark.parametrize("order", ["Ascending", "Descending"])
def test_pages_together_hold_every_job_once_in_order(sagemaker, five, by, order):
    whole, _ = listed(sagemaker, SortBy=by, SortOrder=order)
    found, token = [], {}
    while True:
        names, more = listed(sagemaker, SortBy=by, SortOrder=order, MaxResults=2, **token)
        found += names
        if more is None:
            break
        token = {"NextToken": more}
    assert found == whole and sorted(found) == sorted(five)
    if by != "Status":
        assert found == (five if order == "Ascending" else five[::-1])


def test_a_job_that_is_made_between_two_pages_shows_none_twice(sagemaker, channels, five):
    first, token = listed(sagemaker, MaxResults=3)
    name = f"listed-new-{sagemaker.bucket}"
    sagemaker.train({"train": channels["train"]}, {"num_round": "1"}, TrainingJobName=name)
    rest, _ = listed(sagemaker, MaxResults=10, NextToken=token)
    assert first + rest == five[::-1]
    sagemaker.client.delete_training_job(TrainingJobName=name)


def test_times_and_other_filters_of_a_list(sagemaker, five):
    described = [sagemaker.client.describe_training_job(TrainingJobName=name) for name in five]
    middle = described[2]["CreationTime"]
    assert all(job["CreationTime"].microsecond % 1000 == 0 for job in described)
    assert listed(sagemaker, CreationTimeAfter=middle)[0] == [five[4], five[3]]
    assert listed(sagemaker, CreationTimeBefore=middle)[0] == [five[1], five[0]]
    assert listed(sagemaker, LastModifiedTimeAfter=described[3]["LastModifiedTime"])[0] == [five[4]]
    assert listed(sagemaker, WarmPoolStatusEquals="Available")[0] == []
    summary = sagemaker.client.list_training_jobs(NameContains=five[0])["TrainingJobSummaries"][0]
    for member in ("TrainingJobArn", "CreationTime", "TrainingEndTime", "LastModifiedTime", "TrainingJobStatus"):
        assert summary[member] == described[0][member]


@pytest.mark.parametrize("token", ["3", "nonsense", "bnVsbA=="])
def test_a_token_that_is_none_is_refused(sagemaker, token):
    with pytest.raises(ClientError, match="NextToken") as error:
        sagemaker.client.list_training_jobs(NextToken=token)
    assert error.value.response["Error"]["Code"] == "ValidationException"
