"""The calls of Terraform's tencentcloud_mysql_db_import_job_operation, in its order.

Usage: terraform.py FILE DATABASE LATER: so many imports are made after the one looked for, so that
its record is not on the first page. Requests are made by hand and signed with the SDK's own signer;
answers are read as the Go SDK does, which fails on any field of another type than documented.
Source: the provider's resource_tc_mysql_db_import_job_operation.go, service_tencentcloud_mysql.go.
"""

import datetime
import hashlib
import json
import os
import sys
import time
import urllib.request

from tencentcloud.common.sign import Sign

ENDPOINT = os.environ["DBFERRY_ENDPOINT"]
INSTANCE = os.environ["DBFERRY_INSTANCE"]
CONTENT_TYPE = "application/json"
# The provider's page, and what it waits for an import at most.
PAGE = 20
READ_LIMIT_SECONDS = 180
POLL_SECONDS = 0.05

# Of the Go SDK's structs; int64 has no fraction, and a pointer may be null where Terraform does not
# follow it.
RECORD = {
    "Status": int,
    "Code": int,
    "CostTime": int,
    "InstanceId": str,
    "WorkId": str,
    "FileName": str,
    "Process": int,
    "CreateTime": str,
    "FileSize": str,
    "Message": str,
    "JobId": int,
    "DbName": str,
    "AsyncRequestId": str,
}


def authorization(body, timestamp):
    """The Authorization header as the Go SDK makes it."""
    date = datetime.datetime.fromtimestamp(timestamp, datetime.timezone.utc).strftime("%Y-%m-%d")
    headers = f"content-type:{CONTENT_TYPE}\nhost:{ENDPOINT}\n"
    payload = hashlib.sha256(body).hexdigest()
    canonical = f"POST\n/\n\n{headers}\ncontent-type;host\n{payload}"
    scope = f"{date}/cdb/tc3_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{digest}"
    signature = Sign.sign_tc3(os.environ["TENCENTCLOUD_SECRET_KEY"], date, "cdb", text)
    key = os.environ["TENCENTCLOUD_SECRET_ID"]
    return (
        f"TC3-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders=content-type;host, "
        f"Signature={signature}"
    )


def send(action, parameters):
    """Sends a request and returns the Response object; an error of the API ends the test."""
    body = json.dumps(parameters, separators=(",", ":")).encode()
    timestamp = int(time.time())
    headers = {
        "Host": ENDPOINT,
        "Content-Type": CONTENT_TYPE,
        "Authorization": authorization(body, timestamp),
        "X-TC-Action": action,
        "X-TC-Version": "2017-03-20",
        "X-TC-Timestamp": str(timestamp),
        "X-TC-Region": os.environ["TENCENTCLOUD_REGION"],
        "X-TC-Language": "en-US",
        "X-TC-RequestClient": "Terraform-latest",
    }
    request = urllib.request.Request(f"http://{ENDPOINT}/", body, headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == CONTENT_TYPE, answer.headers["Content-Type"]
        response = json.load(answer)["Response"]
    assert "Error" not in response, response
    check(response, {"RequestId": str}, others=True)
    return response


def check(value, fields, others=False):
    """Every field is there, of exactly its type, and nothing else is."""
    for name, kind in fields.items():
        assert type(value.get(name)) is kind, f"{name} is {value.get(name)!r}, not {kind.__name__}"
        if kind is int:
            assert -(1 << 63) <= value[name] < 1 << 63, f"{name} is {value[name]}"
    assert others or set(value) == set(fields), f"fields {sorted(value)}"


def create(parameters):
    """CreateDBImportJob."""
    made = send("CreateDBImportJob", parameters)
    check(made, {"AsyncRequestId": str, "RequestId": str})
    return made["AsyncRequestId"]


def wait(job):
    """DescribeAsyncRequestInfo: only two words mean that it is worth to ask again."""
    deadline = time.monotonic() + READ_LIMIT_SECONDS
    while time.monotonic() < deadline:
        answer = send("DescribeAsyncRequestInfo", {"AsyncRequestId": job})
        check(answer, {"Status": str, "Info": str, "RequestId": str})
        if answer["Status"] == "SUCCESS":
            return
        assert answer["Status"] in ("INITIAL", "RUNNING"), answer
        time.sleep(POLL_SECONDS)
    raise AssertionError("the provider would give up")


def read(job):
    """DescribeDBImportRecords, pages of 20 until the job is found; a short page is the last."""
    offset = 0
    while True:
        parameters = {"InstanceId": INSTANCE, "Offset": offset, "Limit": PAGE}
        page = send("DescribeDBImportRecords", parameters)
        check(page, {"TotalCount": int, "Items": list, "RequestId": str})
        for record in page["Items"]:
            check(record, RECORD)
            if record["AsyncRequestId"] == job:
                return record, offset // PAGE
        assert len(page["Items"]) == PAGE, "the record is on no page"
        offset += PAGE


def main(file, database, later):
    """Create, wait, read; again what the provider's own acceptance test sends."""
    given = {
        "InstanceId": INSTANCE,
        "User": "root",
        "FileName": file,
        "Password": os.environ["DBFERRY_ROOT_PASSWORD"],
        "DbName": database,
    }
    job = create(given)
    wait(job)
    record, page = read(job)
    assert page == 0, "a new record is not on the first page"
    for name in ("InstanceId", "FileName", "DbName"):
        assert record[name] == given[name], f"{name} would differ on every plan: {record[name]!r}"
    # Both sources, and no database: the file is what counts.
    del given["DbName"]
    both = {**given, "FileName": "nothing.sql", "CosUrl": "https://example.test/nothing.sql"}
    for _ in range(int(later)):
        wait(create(both))
    record, page = read(job)
    assert page == int(later) // PAGE, f"the record is on page {page}"
    assert record["Status"] == 2, record
    newest = send("DescribeDBImportRecords", {"InstanceId": INSTANCE, "Limit": 1})["Items"][0]
    assert (newest["FileName"], newest["DbName"]) == ("nothing.sql", ""), newest


main(*sys.argv[1:])
