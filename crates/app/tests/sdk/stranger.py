"""Another account's key at everything that this one does not own: as if it did not exist.

Usage: stranger.py JOB FILE DATABASE UIN OWN: the owner's job, file, database and account number,
and the instance that the stranger has itself, on the same server.
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
        ("CreateDatabase", {"DBName": "theirs", "CharacterSetName": "utf8mb4"}),
    ]
    for action, more in cases:
        client.refused(NOT_FOUND, lambda: client.call(sdk, action, **here, **more))
    # The document of this action lists no code for instances.
    client.refused(
        "InvalidParameterValue.InvalidParameterValueError",
        lambda: client.call(sdk, "DescribeTableColumns", Database=database, Table="orders", **here),
    )
    client.refused(NOT_FOUND, lambda: client.call(sdk, "DescribeTasks", **here))
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


def check_lists(sdk, uin, own):
    """What lists show without a name."""
    instances = client.call(sdk, "DescribeDBInstances")
    assert [each.InstanceId for each in instances.Items] == [own], instances
    assert client.call(sdk, "DescribeTasks").TotalCount == 0
    files = client.uploads(sdk, client.UIN)
    assert (files.TotalCount, files.Items) == (0, []), files
    client.refused("InvalidParameter", lambda: client.uploads(sdk, uin))
    assert client.call(sdk, "DescribeDBImportRecords", InstanceId=own).TotalCount == 0


def main(job, file, database, uin, own):
    """All actions."""
    sdk = client.typed("tc3-post")
    check_instance(sdk, file, database)
    check_job(sdk, job)
    check_lists(sdk, uin, own)
    client.refused(
        "InvalidParameter",
        lambda: client.create(sdk, InstanceId=own, FileName=file, DbName=database),
    )


main(*sys.argv[1:])
