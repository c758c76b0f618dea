"""The encrypted port, with an authority of the caller's own: its file is the argument."""

import os
import sys

from tencentcloud.cdb.v20170320 import cdb_client, models
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

http = HttpProfile(endpoint=os.environ["DBFERRY_ENDPOINT"], certification=sys.argv[1])
key = Credential(os.environ["TENCENTCLOUD_SECRET_ID"], os.environ["TENCENTCLOUD_SECRET_KEY"])
profile = ClientProfile(httpProfile=http)
client = cdb_client.CdbClient(key, os.environ["TENCENTCLOUD_REGION"], profile)
answer = client.DescribeDBInstances(models.DescribeDBInstancesRequest())
assert [item.InstanceId for item in answer.Items] == [os.environ["DBFERRY_INSTANCE"]]
