"""Another account's key at everything that this one does not own: as if it did not exist.

Usage: stranger.py JOB FILE DATABASE OWN: the owner's job, file and database, and the instance that
the stranger has itself, on the same server.
"""

import sys

import client

NOT_FOUND = "InvalidParameter.InstanceNotFound"


def check_instance(sdk, file, database):
    """Every action that names an instance."""
    here = {"InstanceId": client.INSTANCE}
    client.refused(NOT_FOUND, lambda: client.create(sdk, FileName=file, DbName=database))
    cases = [
        ("DescribeDBImportRecords", {}),
        ("DescribeDatabases", {}),
        ("DescribeTables", {"Database": database}),
        ("DescribeTableColumns", {"Database": database, "Table": "orders"}),
        ("CreateDatabase", {"DBName": "theirs", "CharacterSetName": "utf8mb4"}),
    ]
    for action, more in cases:
        client.refused(NOT_FOUND, lambda: client.call(sdk, action, **here, **more))
    listed = client.call(sdk, "DescribeDBInstances", InstanceIds=[client.INSTANCE])
    assert (listed.TotalCount, listed.Items) == (0, []), listed


def check_job(sdk, job):
    """Every action that names a job."""
    for action in ("StopDBImportJob", "DescribeAsyncRequestInfo"):
        client.refused(
            "InvalidParameter.InvalidAsyncRequestId",
            lambda: client.call(sdk, action, AsyncRequestId=job),
        )
    tasks = client.call(sdk, "DescribeTasks", AsyncRequestId=job)
    assert (tasks.TotalCount, tasks.Items) == (0, []), tasks


def check_lists(sdk, own):
    """What lists show without a name."""
    instances = client.call(sdk, "DescribeDBInstances")
    assert [each.InstanceId for each in instances.Items] == [own], instances
    assert client.call(sdk, "DescribeTasks").TotalCount == 0
    assert client.call(sdk, "DescribeUploadedFiles", Path="100000983328").TotalCount == 0
    assert client.call(sdk, "DescribeDBImportRecords", InstanceId=own).TotalCount == 0


def main(job, file, database, own):
    """All actions."""
    sdk = client.typed("tc3-post")
    check_instance(sdk, file, database)
    check_job(sdk, job)
    check_lists(sdk, own)
    client.refused(
        "InvalidParameter",
        lambda: client.create(sdk, InstanceId=own, FileName=file, DbName=database),
    )


main(*sys.argv[1:])
