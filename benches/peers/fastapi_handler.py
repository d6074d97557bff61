"""What Browser Use documents for FastAPI: verify, then answer; nothing is kept.

The signature is an HMAC-SHA256 over the timestamp header, a dot and the canonical JSON of the body.
"""

import hashlib
import hmac
import json
import os
import time

from fastapi import FastAPI, HTTPException, Request

SECRET = os.environ["BROWSER_USE_SECRET"].encode()
MAX_AGE_S = 300

app = FastAPI()


def is_fresh(timestamp: str) -> bool:
    try:
        return abs(time.time() - int(timestamp)) <= MAX_AGE_S
    except ValueError:
        return False


def is_signed(event: object, timestamp: str, signature: str) -> bool:
    canonical = json.dumps(event, separators=(",", ":"), sort_keys=True)
    message = f"{timestamp}.{canonical}".encode()
    expected = hmac.new(SECRET, message, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())


@app.post("/hooks/browser-use")
async def receive(request: Request) -> dict[str, str]:
    timestamp = request.headers.get("x-browser-use-timestamp", "")
    signature = request.headers.get("x-browser-use-signature", "")
    try:
        event = json.loads(await request.body())
    except ValueError:
        raise HTTPException(400, "the body is not JSON")
    if not is_fresh(timestamp) or not is_signed(event, timestamp, signature):
        raise HTTPException(403, "the signature or its time is wrong")
    return {"status": "success", "message": "Webhook received"}
