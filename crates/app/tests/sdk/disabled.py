"""A key that was switched off: refused as one that does not exist, in every mode."""

import client

for mode in client.MODES:
    sdk = client.typed(mode)
    client.refused(
        "AuthFailure.SecretIdNotFound", lambda: client.call(sdk, "DescribeDBInstances")
    )
