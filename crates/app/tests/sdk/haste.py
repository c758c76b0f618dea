"""Imports that are stopped at once, wherever they are: each ends, and the next may begin.

Usage: haste.py SLOW DATABASE ROUNDS.
"""

import sys
import time

import client


def main(slow, database, rounds):
    """Each round waits a little longer before it stops the job."""
    sdk = client.typed("tc3-post")
    for number in range(int(rounds)):
        job = client.create(sdk, FileName=slow, DbName=database)
        time.sleep(number * 0.005)
        client.call(sdk, "StopDBImportJob", AsyncRequestId=job)
        client.wait(sdk, job, "KILLED")


main(*sys.argv[1:])
