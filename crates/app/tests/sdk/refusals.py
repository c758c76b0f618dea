"""Every refusal that a client can cause: the exact code reaches the SDK's exception.

Usage: refusals.py MODE FILE DATABASE BAD, where BAD is a file whose statement on line 17 names a
table that does not exist (error 1146).
"""

import random
import re
import sys
import time
from unittest import mock

import client
from tencentcloud.common.credential import Credential

UNKNOWN_JOB = "00000000-00000000-00000000-00000001"
# More than any limit on actions without a limit of their own.
REQUESTS_MAX = 200


def check_create(sdk, file, database):
    """What is checked before an import is accepted."""
    good = {"FileName": file, "DbName": database}
    cases = [
        ("InvalidParameter.InstanceNotFound", {"InstanceId": "cdb-nowhere1"}),
        ("OperationDenied.WrongPassword", {"Password": "wrong"}),
        ("OperationDenied.WrongPassword", {"User": "nobody"}),
        ("InvalidParameter", {"FileName": "absent.sql"}),
        ("InvalidParameter", {"FileName": "../" + file}),
        ("InvalidParameter", {"DbName": "absent"}),
        ("InvalidParameter", {"FileName": None}),
        ("MissingParameter", {"User": None}),
        ("MissingParameter", {"InstanceId": ""}),
    ]
    for code, change in cases:
        client.refused(code, lambda: client.create(sdk, **{**good, **change}))


def check_jobs(sdk):
    """Ids of nothing."""
    for action in ("StopDBImportJob", "DescribeAsyncRequestInfo"):
        for job in (UNKNOWN_JOB, "no id"):
            client.refused(
                "InvalidParameter.InvalidAsyncRequestId",
                lambda: client.call(sdk, action, AsyncRequestId=job),
            )
        client.refused("MissingParameter", lambda: client.call(sdk, action))


def check_parameters(mode, sdk):
    """What the table of the action does not have."""
    generic = client.generic(mode)
    here = {"InstanceId": client.INSTANCE}
    client.refused("InvalidAction", lambda: generic.call_json("DescribeNothing", {}))
    client.refused(
        "UnknownParameter",
        lambda: generic.call_json("DescribeDBImportRecords", {**here, "Nonsense": 1}),
    )
    client.refused(
        "NoSuchVersion",
        lambda: client.generic(mode, "2016-01-01").call_json("DescribeDBInstances", {}),
    )
    client.refused(
        "InvalidParameter",
        lambda: generic.call_json("DescribeDBImportRecords", {**here, "Limit": "ten"}),
    )
    for limit in (0, 101):
        client.refused(
            "InvalidParameterValue",
            lambda: client.call(sdk, "DescribeDBImportRecords", Limit=limit, **here),
        )
    client.refused(
        "InvalidParameter.InstanceNotFound",
        lambda: client.call(sdk, "DescribeDBImportRecords", InstanceId="cdb-nowhere1"),
    )


def check_authentication(mode):
    """Keys, signatures and clocks."""
    own = client.credential()
    describe = "DescribeDBInstances"
    unknown = client.typed(mode, Credential("AKIDabsent", own.secret_key))
    client.refused("AuthFailure.SecretIdNotFound", lambda: client.call(unknown, describe))
    forged = client.typed(mode, Credential(own.secret_id, "forged"))
    client.refused("AuthFailure.SignatureFailure", lambda: client.call(forged, describe))
    sdk = client.typed(mode)
    for minutes in (-6, 6):
        with mock.patch("time.time", return_value=time.time() + minutes * 60):
            client.refused("AuthFailure.SignatureExpire", lambda: client.call(sdk, describe))
    if not mode.startswith("tc3"):
        check_replay(sdk)


def check_replay(sdk):
    """A v1 request that comes twice; one with the same nonce and another content is not that.

    The Node.js SDK has nonces of 16 bits only.
    """
    nonce = mock.patch("random.randint", return_value=random.randrange(1 << 60))
    clock = mock.patch("time.time", return_value=time.time())
    with nonce, clock:
        client.call(sdk, "DescribeDBInstances")
        client.refused(
            "AuthFailure.SignatureFailure", lambda: client.call(sdk, "DescribeDBInstances")
        )
        client.call(sdk, "DescribeDBInstances", Limit=1)


def check_limit(sdk):
    """The list of files may be asked for once a second."""

    def ask_often():
        for _ in range(REQUESTS_MAX):
            client.call(sdk, "DescribeUploadedFiles", Path=client.UIN)

    client.refused("RequestLimitExceeded", ask_often)


def check_databases(sdk, database):
    """What the instance does not have."""
    here = {"InstanceId": client.INSTANCE}
    client.refused(
        "InvalidParameter", lambda: client.call(sdk, "DescribeTables", Database="absent", **here)
    )
    client.refused(
        "InvalidParameterValue.InvalidParameterValueError",
        lambda: client.call(sdk, "DescribeTableColumns", Database=database, Table="absent", **here),
    )
    made = {"DBName": database, "CharacterSetName": "utf8mb4", **here}
    client.refused(
        "InvalidParameter.ExceptionParam", lambda: client.call(sdk, "CreateDatabase", **made)
    )


def check_failure(sdk, bad, database):
    """An import that fails says where and why."""
    job = client.create(sdk, FileName=bad, DbName=database)
    answer = client.wait(sdk, job, "FAILED")
    (record,) = [each for each in client.records(sdk, 20) if each.AsyncRequestId == job]
    assert record.Status == 3 and record.Code < 0, vars(record)
    for text in (answer.Info, record.Message):
        assert re.search(r"\b17\b", text) and "1146" in text, text
    client.refused(
        "CdbError.ImportError", lambda: client.call(sdk, "StopDBImportJob", AsyncRequestId=job)
    )


def main(mode, file, database, bad):
    """All of them; the tests of one mode share a second's worth of requests."""
    sdk = client.typed(mode)
    check_create(sdk, file, database)
    check_jobs(sdk)
    check_parameters(mode, sdk)
    check_authentication(mode)
    check_limit(sdk)
    check_databases(sdk, database)
    check_failure(sdk, bad, database)


main(*sys.argv[1:])
