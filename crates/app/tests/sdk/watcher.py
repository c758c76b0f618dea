"""Looks at one job all the time, also while the service is gone.

Usage: watcher.py JOB. Prints each status that differs from the one before. When its input ends, it
looks a last time, and says "gone" if nobody answers. Whether the order is right is judged by the
caller.
"""

import sys
import threading
import time

import client
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException


def look(sdk, job):
    """The job's status; nothing while the service does not answer."""
    try:
        return client.info(sdk, job).Status
    except TencentCloudSDKException as error:
        assert error.get_code() == "ClientNetworkError", error
        return None


def main(job):
    """Until the input ends."""
    sdk = client.typed("tc3-post")
    is_over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), is_over.set()), daemon=True).start()
    last = None
    while not is_over.wait(client.POLL_SECONDS):
        status = look(sdk, job)
        if status not in (None, last):
            print(status, flush=True)
            last = status
    status = look(sdk, job)
    if status != last:
        print(status or "gone", flush=True)


main(*sys.argv[1:])
