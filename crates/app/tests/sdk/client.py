"""Clients of the service, made of Tencent's SDK as it is installed, one for each way to sign.

The endpoint, the key and the region come from the environment that the Rust tests set. Nothing of
the SDK is changed; what a test expects is in the other files.
"""

import os
import time

from tencentcloud.cdb.v20170320 import cdb_client, models
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

VERSION = "2017-03-20"

# Name of the mode: signature method, HTTP method, whether the body is signed.
MODES = {
    "tc3-post": ("TC3-HMAC-SHA256", "POST", True),
    "tc3-get": ("TC3-HMAC-SHA256", "GET", True),
    "tc3-unsigned": ("TC3-HMAC-SHA256", "POST", False),
    "sha1-post": ("HmacSHA1", "POST", True),
    "sha1-get": ("HmacSHA1", "GET", True),
    "sha256-post": ("HmacSHA256", "POST", True),
    "sha256-get": ("HmacSHA256", "GET", True),
}

# The service takes 40 requests a second of DescribeAsyncRequestInfo from one key.
POLL_SECONDS = 0.05
# What takes longer than this hangs.
POLL_LIMIT_SECONDS = 60

ENDPOINT = os.environ["DBFERRY_ENDPOINT"]
REGION = os.environ["TENCENTCLOUD_REGION"]
INSTANCE = os.environ["DBFERRY_INSTANCE"]
PASSWORD = os.environ["DBFERRY_ROOT_PASSWORD"]
# The number of the key's account, which stands for its upload area.
UIN = os.environ["DBFERRY_UIN"]


def credential():
    """The key of the caller."""
    return Credential(os.environ["TENCENTCLOUD_SECRET_ID"], os.environ["TENCENTCLOUD_SECRET_KEY"])


def profile(mode):
    """The SDK's settings for a mode of MODES."""
    sign_method, http_method, signs_body = MODES[mode]
    http = HttpProfile(protocol="http", endpoint=ENDPOINT, reqMethod=http_method)
    made = ClientProfile(signMethod=sign_method, httpProfile=http, language="en-US")
    made.unsignedPayload = not signs_body
    return made


def typed(mode, key=None):
    """The client that has a method for each action."""
    return cdb_client.CdbClient(key or credential(), REGION, profile(mode))


def generic(mode, version=VERSION):
    """The client that sends what it is told to."""
    return CommonClient("cdb", version, credential(), REGION, profile(mode))


def call(client, action, **parameters):
    """Calls an action with the SDK's own request model, and returns its response model."""
    request = getattr(models, action + "Request")()
    for name, value in parameters.items():
        assert hasattr(request, name), f"the SDK's {action} has no {name}"
        setattr(request, name, value)
    return getattr(client, action)(request)


def create(client, **parameters):
    """Starts an import as root and returns its id."""
    parameters = {"InstanceId": INSTANCE, "User": "root", "Password": PASSWORD, **parameters}
    return call(client, "CreateDBImportJob", **parameters).AsyncRequestId


def info(client, job):
    """What DescribeAsyncRequestInfo says of a job."""
    answer = call(client, "DescribeAsyncRequestInfo", AsyncRequestId=job)
    assert isinstance(answer.Info, str), f"Info is {answer.Info!r}"
    return answer


def wait(client, job, *ends):
    """Polls as long as the status means "wait", and checks that it ends as one of these."""
    deadline = time.monotonic() + POLL_LIMIT_SECONDS
    while True:
        answer = info(client, job)
        if answer.Status not in ("INITIAL", "RUNNING"):
            assert answer.Status in ends, f"{answer.Status}, not {ends}: {answer.Info}"
            return answer
        assert time.monotonic() < deadline, f"still {answer.Status}"
        time.sleep(POLL_SECONDS)


def wait_running(client, job):
    """Polls until a job runs."""
    deadline = time.monotonic() + POLL_LIMIT_SECONDS
    while (answer := info(client, job)).Status == "INITIAL":
        assert time.monotonic() < deadline, "it does not begin"
        time.sleep(POLL_SECONDS)
    assert answer.Status == "RUNNING", f"{answer.Status}: {answer.Info}"


def records(client, limit):
    """All records of the instance, read page by page."""
    found = []
    while True:
        page = call(
            client, "DescribeDBImportRecords", InstanceId=INSTANCE, Offset=len(found), Limit=limit
        )
        found.extend(page.Items)
        if len(page.Items) < limit:
            assert page.TotalCount == len(found), f"{page.TotalCount} announced, {len(found)} came"
            return found
        assert len(page.Items) == limit, f"{len(page.Items)} rows on a page of {limit}"


def uploads(client, uin, **parameters):
    """DescribeUploadedFiles, which is answered once a second.

    The SDK's StandardRetryer is of no use: it takes an answer after a refusal for the refusal.
    """
    deadline = time.monotonic() + POLL_LIMIT_SECONDS
    while True:
        try:
            return call(client, "DescribeUploadedFiles", Path=uin, **parameters)
        except TencentCloudSDKException as error:
            if error.get_code() != "RequestLimitExceeded" or time.monotonic() > deadline:
                raise
        time.sleep(POLL_SECONDS)


def refused(code, act):
    """Checks that the SDK's exception has exactly this code, and a request id."""
    try:
        answer = act()
    except TencentCloudSDKException as error:
        assert error.get_code() == code, f"expected {code}, got {error}"
        assert error.get_request_id(), f"no request id: {error}"
        assert error.get_message(), f"no message: {error}"
        return error
    raise AssertionError(f"expected {code}, got {answer}")
