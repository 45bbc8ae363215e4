"""Webhooks of vendors in the OpenAPI document, and the page that explains how to receive them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from html import escape
from typing import Any

from gateway.intake.operation import JSON, header
from gateway.relay.mailbox_lanes import VISIBILITY
from gateway.relay.webhook_operations import TEST_TYPE
from gateway.relay.webhook_policy import JITTER, LONGEST_REST, SCHEDULE, SPAN, TIMEOUT_SECONDS
from gateway.relay.webhook_sender import ID, SIGNATURE, TIMESTAMP

PAGE = "/docs/webhooks"

_SENT = (
    "If your supplier has a webhook, every message that GET /v1/messages would give is sent to it as well, one message "
    "a request, under the same id and with the same bytes. A 2xx acknowledges the message exactly as "
    f"POST /v1/messages/ack does. How to receive, verify and answer: {PAGE}."
)


def _required(name: str, words: str) -> Mapping[str, Any]:
    return {**header(name, words, {"type": "string"}), "required": True}


WEBHOOKS: Mapping[str, Any] = {
    "message": {
        "post": {
            "operationId": "receiveMessage",
            "summary": "Receive a message · 接收订单指令",
            "description": _SENT,
            "tags": ["orders"],
            "parameters": [
                _required(ID, "Id of the message, the same at every delivery and in the mailbox."),
                _required(TIMESTAMP, "When this request was made, in seconds since 1970."),
                _required(
                    SIGNATURE, "`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`; several by spaces."
                ),
            ],
            "requestBody": {
                "required": True,
                "content": {JSON: {"schema": {"$ref": "#/components/schemas/MessageView"}}},
            },
            "responses": {
                "2XX": {"description": "You have stored the message. The body is not read."},
                "3XX": {"description": "A failure; redirects are not followed."},
                "410": {"description": "Send nothing here any more."},
                "default": {"description": "A failure; the message is sent again."},
            },
        }
    }
}
"""OpenAPI 3.1's own place for what the described service sends."""


def _length(length: timedelta) -> str:
    seconds = round(length.total_seconds())
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size and not seconds % size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _since_start(count: int) -> str:
    minutes, seconds = divmod(round(sum(SCHEDULE[:count], timedelta(0)).total_seconds()), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


def _rows() -> str:
    rows = [("at once", "00:00:00"), *((_length(each), _since_start(n)) for n, each in enumerate(SCHEDULE, 1))]
    return "".join(f"<tr><td>{n}</td><td>{delay}</td><td>{at}</td></tr>" for n, (delay, at) in enumerate(rows, 1))


_SPAN_HOURS = round(SPAN.total_seconds() / 3600)

_EXAMPLE = """from standardwebhooks.webhooks import Webhook

message = Webhook("whsec_…").verify(body, headers)   # raises WebhookVerificationError
store(message["id"], body)                           # durably; an id that is there already is no fault
# answer 204
"""

_CHAPTERS: Mapping[str, str] = {
    "What is sent · 推送内容": f"""
<p>如果您的供应商配置了 webhook，GET /v1/messages 能领取的每条消息也会以 POST 推送到该地址，两条通道的消息编号相同。
返回 2xx 即视为确认领取（等同 POST /v1/messages/ack），请先落库再返回。</p>
<p>One message a request, as JSON: <code>id</code>, <code>type</code>, <code>delivery</code>,
<code>visible_again_at</code> and <code>command</code>, the bytes of one element of <code>messages</code> in GET
/v1/messages. Ask the mall's operator to declare your URL; it begins with https://. A message of type
<code>{TEST_TYPE}</code> only tests your webhook: verify it, answer 2xx, do nothing else.</p>""",
    "Verify · 验签": f"""
<p>Requests are signed as <a href="https://www.standardwebhooks.com/">Standard Webhooks</a> has it; its libraries
verify them in most languages. By hand: HMAC-SHA256 over <code>{ID}.{TIMESTAMP}.body</code> with the bytes that
follow <code>whsec_</code> in your secret as base64, compared in constant time with each <code>v1,…</code> of
<code>{SIGNATURE}</code>, which are separated by spaces. Verify the bytes as they came, before you parse them, and
refuse what is older than five minutes. While your secret is rotated both the new one and the former one sign: one
match is enough.</p><pre><code>{escape(_EXAMPLE)}</code></pre>
<p><code>contrib/examples/webhook_receiver.py</code> is a whole receiver.</p>""",
    "Answer · 应答": f"""
<p>Answer within {TIMEOUT_SECONDS:g} s. A <strong>2xx</strong> says: I have stored this message, do not give it
again. It acknowledges this one message, the same as naming its id in POST /v1/messages/ack, and the next message of
its order follows. It does not answer the order: tell what becomes of it with POST /v1/orders/{{order_no}}/events.
The body of your answer is not read.</p>
<p>Everything else is a failure: <strong>3xx</strong>, because redirects are not followed; 4xx and 5xx; no answer in
time; no valid certificate. <strong>410</strong> says that you want nothing here any more: sending stops until the
operator enables it. <strong>429, 502, 503 and 504</strong> ask for a rest, of your whole webhook, for as long as
Retry-After says, {_length(LONGEST_REST)} at most.</p>
<p>A message can come more than once, always under the same id: after a failure, after a 2xx that did not arrive,
and when you ask the operator to send anew what came since a moment. Store it by its id and answer 2xx again.</p>""",
    "Retries · 重试": f"""
<p>A failed message is sent again by this schedule, each delay up to {JITTER:.0%} longer by chance, and not past the
deadline of its command. Later messages of the same order wait behind it; other orders go on.</p>
<table><thead><tr><th>request</th><th>delay</th><th>since the first</th></tr></thead><tbody>{_rows()}</tbody></table>
<p>Once nothing has got through for {_SPAN_HOURS} hours the webhook is set aside and the operator is told.</p>""",
    "Two doors · 两条通道": f"""
<p>Webhook and mailbox are two doors to one log. What you acknowledge through one is not given through the other;
what was given through one and not acknowledged is given by the other after {_length(VISIBILITY)}, a message that
failed at the webhook at once. So GET /v1/messages is the way out while your webhook is down, whatever the schedule
says.</p>""",
}


def page() -> str:
    """The page for who receives."""
    chapters = "".join(f"<h2>{title}</h2>{text}" for title, text in _CHAPTERS.items())
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mallgate · 接收推送 · webhooks</title>
<link rel="stylesheet" href="/docs/assets/text.css">
<link rel="icon" type="image/png" href="/docs/assets/favicon-32x32.png">
</head>
<body>
<h1>Receiving webhooks · 接收推送</h1>
{chapters}
<p><a href="/docs">The vendor API</a></p>
</body>
</html>
"""
