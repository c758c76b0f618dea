"""An import of a file that is given by CosUrl alone, and of one that may not be fetched.

Usage: cos_url.py URL FORBIDDEN DATABASE SIZE.
"""

import sys

import client


def main(url, forbidden, database, size):
    """What is refused has made no job; what is fetched is recorded with its size."""
    sdk = client.typed("tc3-post")
    for wrong in (forbidden, "ftp://files.example/a.sql", "cos"):
        error = client.refused(
            "InvalidParameter", lambda: client.create(sdk, CosUrl=wrong, DbName=database)
        )
        assert "CosUrl" in error.get_message() and "se-cret" not in error.get_message(), error
    assert client.records(sdk, 20) == []
    job = client.create(sdk, CosUrl=url, DbName=database)
    client.wait(sdk, job, "SUCCESS")
    [record] = client.records(sdk, 20)
    # Terraform takes a name that was not given for a change.
    assert (record.FileName, record.DbName, record.FileSize) == ("", database, size), record
    assert (record.Status, record.Process, record.AsyncRequestId) == (2, 100, job), record


main(*sys.argv[1:])
