"""An import through Tencent's Python SDK: created, polled to its end, found in every list.

Usage: import_job.py MODE FILE DATABASE PREVIOUS, where PREVIOUS imports of the instance were made
before. The rows that arrive are checked by the caller.
"""

import re
import sys

import client

TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


def check_record(record, job, file, database):
    """A finished record, every field of it."""
    assert record.AsyncRequestId == job
    assert record.InstanceId == client.INSTANCE
    assert (record.FileName, record.DbName) == (file, database)
    assert (record.Status, record.Code, record.Process) == (2, 0, 100), vars(record)
    assert TIME.fullmatch(record.CreateTime), record.CreateTime
    assert isinstance(record.FileSize, str) and int(record.FileSize) > 0, record.FileSize
    for name in ("CostTime", "JobId"):
        assert type(getattr(record, name)) is int, vars(record)
    for name in ("Message", "WorkId"):
        assert type(getattr(record, name)) is str, vars(record)


def check_files(sdk, file):
    """The list of files."""
    files = client.uploads(sdk, client.UIN, Limit=100)
    assert files.TotalCount == len(files.Items), files
    (found,) = [each for each in files.Items if each.FileName == file]
    assert type(found.FileSize) is int and found.FileSize > 0, found
    assert found.IsUploadFinished == 1 and TIME.fullmatch(found.UploadTime), found
    assert (found.UploadInfo.AllSliceNum, found.UploadInfo.CompleteNum) == (1, 1), found


def check_lists(sdk, job, file, database):
    """The lists beside the records."""
    tasks = client.call(sdk, "DescribeTasks", InstanceId=client.INSTANCE, AsyncRequestId=job)
    assert tasks.TotalCount == 1, tasks
    (task,) = tasks.Items
    assert (task.TaskStatus, task.TaskType, task.Progress) == ("SUCCEED", "IMPORT DATA", 100), task
    assert (task.AsyncRequestId, task.InstanceIds) == (job, [client.INSTANCE]), task
    by_status = client.call(sdk, "DescribeTasks", TaskTypes=[3], TaskStatus=[2], Limit=100)
    assert job in [task.AsyncRequestId for task in by_status.Items]
    others = client.call(sdk, "DescribeTasks", TaskTypes=[5, 7], Limit=100)
    assert (others.TotalCount, others.Items) == (0, []), others
    instances = client.call(sdk, "DescribeDBInstances", InstanceIds=[client.INSTANCE])
    assert instances.TotalCount == 1, instances
    assert instances.Items[0].InstanceId == client.INSTANCE
    assert instances.Items[0].Region == client.REGION
    databases = client.call(sdk, "DescribeDatabases", InstanceId=client.INSTANCE)
    assert database in databases.Items, databases
    assert database in [each.DatabaseName for each in databases.DatabaseList], databases
    named = {"InstanceId": client.INSTANCE, "Database": database}
    tables = client.call(sdk, "DescribeTables", Limit=1, Offset=1, **named)
    assert (tables.TotalCount, tables.Items) == (2, ["orders"]), tables
    columns = client.call(sdk, "DescribeTableColumns", Table="customers", **named)
    assert columns.Items == ["id", "name", "balance"], columns


def main(mode, file, database, previous):
    """The whole flow."""
    sdk = client.typed(mode)
    job = client.create(sdk, FileName=file, DbName=database)
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{8}){3}", job), job
    client.wait(sdk, job, "SUCCESS")
    found = client.records(sdk, limit=2)
    assert len(found) == int(previous) + 1, f"{len(found)} records"
    assert len({record.AsyncRequestId for record in found}) == len(found)
    (record,) = [record for record in found if record.AsyncRequestId == job]
    check_record(record, job, file, database)
    check_lists(sdk, job, file, database)
    check_files(sdk, file)


main(*sys.argv[1:])
