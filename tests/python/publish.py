"""An external process that sends with python-socketio's write-only manager: argument 1 is
the address that it publishes to, 2 the secret. What it sends is on standard input, a line
of JSON for each call: [method, arguments, keywords]."""

import base64
import json
import sys

import requests
import socketio


class HttpManager(socketio.PubSubManager):
    def __init__(self, url, secret):
        super().__init__(write_only=True)
        self.url, self.headers = url, {"Authorization": f"Bearer {secret}"}

    def _publish(self, data):
        requests.post(self.url, json=data, headers=self.headers, timeout=10).raise_for_status()


def bytes_in(value):
    """JSON has no bytes: {"bytes": "<base64>"} stands for some."""
    if isinstance(value, list):
        return [bytes_in(item) for item in value]
    if isinstance(value, dict):
        if set(value) == {"bytes"}:
            return base64.b64decode(value["bytes"])
        return {key: bytes_in(item) for key, item in value.items()}
    return value


manager = HttpManager(*sys.argv[1:3])
for line in sys.stdin:
    method, args, keywords = json.loads(line)
    args = bytes_in(args)
    if keywords.pop("tuple", False):
        args[1] = tuple(args[1])
    try:
        getattr(manager, method)(*args, **keywords)
        print("done")
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
