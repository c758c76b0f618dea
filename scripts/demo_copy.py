"""Copies the demo's database from one instance to the other: Alibaba Cloud's SDK as its users write it."""

import json
import os
import time

from aliyunsdkcore.client import AcsClient
from aliyunsdkrds.request.v20140815 import (
    DescribeDBInstanceAttributeRequest,
    ImportDatabaseBetweenInstancesRequest,
)

SOURCE, TARGET = "cdb-c1nl9rpv", "rm-demo1"
client = AcsClient(
    os.environ["DBFERRY_KEY_ID"], os.environ["DBFERRY_KEY_SECRET"], os.environ["DBFERRY_REGION"]
)


def call(request):
    """The SDK's answer, or its exception."""
    request.set_endpoint(os.environ["DBFERRY_ENDPOINT"])
    return json.loads(client.do_action_with_exception(request))


def status(instance):
    """Where an instance is and what it is doing."""
    request = DescribeDBInstanceAttributeRequest.DescribeDBInstanceAttributeRequest()
    request.set_DBInstanceId(instance)
    return call(request)["Items"]["DBInstanceAttribute"][0]["DBInstanceStatus"]


submit = ImportDatabaseBetweenInstancesRequest.ImportDatabaseBetweenInstancesRequest()
submit.set_DBInstanceId(TARGET)
submit.set_SourceDBInstanceId(SOURCE)
submit.set_DBInfo(json.dumps({"DBNames": ["tpch"]}))
print("ImportId", call(submit)["ImportId"])
seen = None
while seen != "Running":
    now = status(TARGET)
    if now != seen:
        print(f"{TARGET} is {now}, {SOURCE} is {status(SOURCE)}")
    seen = now
    time.sleep(0.2)
