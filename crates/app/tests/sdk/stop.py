"""A running import through Tencent's Python SDK: what it keeps others from, and how it is stopped.

Usage: stop.py MODE SLOW OTHER DATABASE: the name of a file that makes a table `slow` and then does
not end by itself soon, and of another one.
"""

import sys
import time

import client

# How soon a job has ended after StopDBImportJob; the promise is two seconds.
STOP_SECONDS = 2


def wait_table(sdk, database):
    """Polls until the table is there: the file's next statement is the slow one."""
    deadline = time.monotonic() + client.POLL_LIMIT_SECONDS
    here = {"InstanceId": client.INSTANCE, "Database": database}
    while client.call(sdk, "DescribeTables", **here).Items != ["slow"]:
        assert time.monotonic() < deadline, "it does not go on"
        time.sleep(2 * client.POLL_SECONDS)


def main(mode, slow, other, database):
    """The whole flow."""
    sdk = client.typed(mode)
    job = client.create(sdk, FileName=slow, DbName=database)
    client.wait_running(sdk, job)
    wait_table(sdk, database)
    again = client.create(sdk, FileName=slow, DbName=database)
    assert again == job, "a repeated request started a second import"
    client.refused(
        "OperationDenied.WrongStatus",
        lambda: client.create(sdk, FileName=other, DbName=database),
    )
    busy = client.call(sdk, "DescribeDBInstances", InstanceIds=[client.INSTANCE])
    assert busy.Items[0].TaskStatus == 2, "the instance does not say that it is importing"
    (task,) = client.call(sdk, "DescribeTasks", AsyncRequestId=job).Items
    assert task.TaskStatus == "RUNNING", task
    client.call(sdk, "StopDBImportJob", AsyncRequestId=job)
    since = time.monotonic()
    client.wait(sdk, job, "KILLED")
    assert time.monotonic() - since < STOP_SECONDS, f"{time.monotonic() - since} s"
    (record,) = [each for each in client.records(sdk, 20) if each.AsyncRequestId == job]
    assert record.Status == 3, vars(record)
    (task,) = client.call(sdk, "DescribeTasks", AsyncRequestId=job).Items
    assert task.TaskStatus == "KILLED", task
    idle = client.call(sdk, "DescribeDBInstances", InstanceIds=[client.INSTANCE])
    assert idle.Items[0].TaskStatus == 0, "the instance still says that it is importing"


main(*sys.argv[1:])
