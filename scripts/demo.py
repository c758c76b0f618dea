"""Prints the import records of the demo's instance: Tencent's SDK as its users write it."""

import os

from tencentcloud.cdb.v20170320 import cdb_client, models
from tencentcloud.common.credential import EnvironmentVariableCredential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

http = HttpProfile(protocol="http", endpoint=os.environ["DBFERRY_ENDPOINT"])
client = cdb_client.CdbClient(
    EnvironmentVariableCredential().get_credential(),
    os.environ["TENCENTCLOUD_REGION"],
    ClientProfile(httpProfile=http),
)
request = models.DescribeDBImportRecordsRequest()
request.InstanceId = "cdb-c1nl9rpv"
for record in client.DescribeDBImportRecords(request).Items:
    print(
        f"{record.CreateTime}  {record.FileName}  {record.FileSize} bytes  Status {record.Status}  "
        f"{record.Process} %  {record.CostTime} s  {record.AsyncRequestId}"
    )
