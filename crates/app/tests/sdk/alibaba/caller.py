"""Calls actions of the service through Alibaba Cloud's SDKs for Python as they are installed.

Usage: caller.py MODE. Reads lines of {"action", "parameters"} and answers each with a line: the
SDK's answer as {"answer"}, or what its exception says as {"code", "message"}. A line may have
"secret" or "key_id", which go in the place of the environment's, and "nonce", which the SDK of the
first generation takes then in the place of its own.

Nothing of the SDKs is changed; what a test expects is in the Rust tests.
"""

import importlib
import json
import os
import re
import sys
import warnings
from unittest import mock
from xml.etree import ElementTree

VERSION = "2014-08-15"
ENDPOINT = os.environ["DBFERRY_ENDPOINT"]
REGION = os.environ["DBFERRY_REGION"]
# Elements that XML repeats and JSON has in a list.
LISTS = {
    "DBInstance",
    "DBInstanceAttribute",
    "Database",
    "ImportResultFromDB",
    "RDSRegion",
    "TaskProgressInfo",
}


class Refused(Exception):
    """An answer in XML that the SDK does not look into."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code, self.message = code, message


def key(asked):
    """The key's id and secret."""
    given = asked.get("key_id"), asked.get("secret")
    return given[0] or os.environ["DBFERRY_KEY_ID"], given[1] or os.environ["DBFERRY_KEY_SECRET"]


def tree(element):
    """XML as the same in JSON would be read, but for numbers, which stay texts."""
    if not len(element):
        return element.text or ""
    found = {}
    for child in element:
        if child.tag in LISTS:
            found.setdefault(child.tag, []).append(tree(child))
        else:
            assert child.tag not in found, f"{child.tag} comes twice"
            found[child.tag] = tree(child)
    return found


def from_xml(text, action):
    """An answer in XML, by its root."""
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>'), text
    root = ElementTree.fromstring(text)
    if root.tag == "Error":
        raise Refused(root.findtext("Code"), root.findtext("Message"))
    assert root.tag == action + "Response", root.tag
    return tree(root)


class Classic:
    """The SDK of the first generation (aliyun-python-sdk-core and -rds)."""

    def __init__(self, way):
        self.way = way

    def call(self, action, parameters, asked):
        from aliyunsdkcore.client import AcsClient

        key_id, secret = key(asked)
        client = AcsClient(key_id, secret, REGION)
        # The client sends its own.
        parameters = {name: parameters[name] for name in parameters if name != "RegionId"}
        request = getattr(self, self.way)(action, parameters)
        fixed = asked.get("nonce")
        patched = mock.patch("aliyunsdkcore.utils.parameter_helper.get_uuid", lambda: fixed)
        with patched if fixed else mock.patch.dict({}, {}):
            if self.way == "xml":
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    return from_xml(client.do_action(request).decode(), action)
            return json.loads(client.do_action_with_exception(request))

    def typed(self, action, parameters):
        module = importlib.import_module(f"aliyunsdkrds.request.v20140815.{action}Request")
        request = getattr(module, f"{action}Request")()
        request.set_endpoint(ENDPOINT)
        for name, value in parameters.items():
            getattr(request, f"set_{name}")(value)
        return request

    def get(self, action, parameters, method="GET"):
        from aliyunsdkcore.request import CommonRequest

        request = CommonRequest(domain=ENDPOINT, version=VERSION, action_name=action)
        request.set_method(method)
        for name, value in parameters.items():
            if method == "GET":
                request.add_query_param(name, value)
            else:
                request.add_body_params(name, value)
        return request

    def post(self, action, parameters):
        return self.get(action, parameters, "POST")

    def xml(self, action, parameters):
        request = self.get(action, parameters)
        request.set_accept_format("XML")
        return request


class Tea:
    """The SDKs of the second generation: with a method for each action, or the generic call."""

    def __init__(self, way, algorithm=None):
        self.way, self.algorithm = way, algorithm

    def call(self, action, parameters, asked):
        from alibabacloud_rds20140815.client import Client
        from alibabacloud_tea_openapi.models import Config

        key_id, secret = key(asked)
        config = Config(
            access_key_id=key_id,
            access_key_secret=secret,
            endpoint=ENDPOINT,
            protocol="HTTP",
            region_id=REGION,
            signature_algorithm=self.algorithm,
        )
        return getattr(self, self.way)(Client(config), action, parameters)

    def typed(self, client, action, parameters):
        from alibabacloud_rds20140815 import models

        assert not hasattr(models, "CreateImportTaskRequest"), "this is not the old version"
        request = getattr(models, f"{action}Request")().from_map(parameters)
        method = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", action).lower()
        return getattr(client, method)(request).body.to_map()

    def generic(self, client, action, parameters, body_type="json"):
        from alibabacloud_rds20140815 import models
        from alibabacloud_tea_openapi.models import OpenApiRequest, Params
        from alibabacloud_tea_util.models import RuntimeOptions

        assert not hasattr(models, "CancelImportRequest"), "this is not the newest version"
        call = Params(
            action=action,
            version=VERSION,
            protocol="HTTP",
            pathname="/",
            method="POST",
            auth_type="AK",
            style="RPC",
            req_body_type="formData",
            body_type=body_type,
        )
        query = {name: str(value) for name, value in parameters.items()}
        answer = client.call_api(call, OpenApiRequest(query=query), RuntimeOptions())
        assert answer["statusCode"] == 200, answer
        return answer["body"]

    def xml(self, client, action, parameters):
        text = self.generic(client, action, {**parameters, "Format": "XML"}, "string")
        return from_xml(text, action)


MODES = {
    "classic-typed": Classic("typed"),
    "classic-get": Classic("get"),
    "classic-post": Classic("post"),
    "classic-xml": Classic("xml"),
    "tea-typed": Tea("typed"),
    "tea-typed-v1": Tea("typed", "v2"),
    "newest": Tea("generic"),
    "newest-v1": Tea("generic", "v2"),
    "newest-xml": Tea("xml"),
}


def code_of(error):
    """The code that an SDK's exception has."""
    ask = getattr(error, "get_error_code", None)
    return ask() if ask else getattr(error, "code", None)


def main(mode):
    """Answers line by line."""
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            told = {"answer": MODES[mode].call(asked["action"], asked["parameters"], asked)}
        except Exception as error:
            if not code_of(error):
                raise
            message = getattr(error, "message", None) or str(error)
            told = {"code": str(code_of(error)), "message": message}
        print(json.dumps(told), flush=True)


main(*sys.argv[1:])
