"""A chat's back end in Python, with Flask: `pip install flask standardwebhooks`, then
`WEBHOOK_SECRET=whsec_… PORT=3000 python python.py`."""

import os

from flask import Flask, request
from standardwebhooks import Webhook, WebhookVerificationError
from werkzeug.serving import make_server

app = Flask(__name__)
webhook = Webhook(os.environ["WEBHOOK_SECRET"])


@app.post("/")
def handle():
    try:
        call = webhook.verify(request.get_data(), request.headers)
    except WebhookVerificationError:
        return {"message": "not signed by the gateway"}, 401
    return handlers[call["type"]](call)


def connect(call):
    """Who may come in, what is known of them, and where they are."""
    name = call["auth"].get("name")
    if not name:
        return {"message": "who are you?", "data": {"missing": "name"}}, 403
    arrived = {"event": "arrived", "args": [name], "rooms": ["lobby"], "except": [call["socket"]["id"]]}
    return {"data": {"name": name}, "rooms": ["lobby"], "actions": [{"emit": arrived}]}


def event(call):
    event, args, data = call["event"], call["args"], call["socket"]["data"]
    if event == "say":
        said = {"event": "said", "args": [data["name"], *args], "rooms": ["lobby"]}
        said["attachments"] = call.get("attachments", [])
        return {"ack": "said", "actions": [{"emit": said}]}
    if event == "rename":
        return {"ack": f"{data['name']} is {args[0]}", "data": {**data, "name": args[0]}}
    if event == "move":
        moved = {"event": "moved", "args": args}
        return {"actions": [{"leave": {"leave": ["lobby"]}}, {"join": {"join": args}}, {"emit": moved}]}
    if event == "leave":
        return {"actions": [{"emit": {"event": "bye"}}, {"disconnect": {}}]}
    return {"message": f"what is {event}?"}, 404


def disconnect(call):
    name = (call["socket"]["data"] or {}).get("name")
    left = {"event": "left", "args": [name, call["reason"]], "rooms": ["lobby"]}
    return {"actions": [{"emit": left}]}


def expired(call):
    return "", 204


handlers = {"connect": connect, "event": event, "disconnect": disconnect, "expired": expired}

if __name__ == "__main__":
    # For a chat that is more than an example: gunicorn, waitress, …
    server = make_server("127.0.0.1", int(os.environ.get("PORT", "3000")), app, threaded=True)
    print(f"listening on http://127.0.0.1:{server.port}", flush=True)
    server.serve_forever()
