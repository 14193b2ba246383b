"""A stand-in for `az rest`, which a script finds as `az`: it does the call and prints the answer.

    az rest --method METHOD --url URL [--body JSON] [--query id | 'value[].id'] [--output tsv]

`AZ_TOKEN` is the access token of whoever is signed in, `AZ_CA` the file of certificates to trust.
"""

import argparse
import json
import os
import ssl
import sys
import urllib.error
import urllib.request


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["rest"])
    for name in ("--method", "--url"):
        parser.add_argument(name, required=True)
    for name in ("--body", "--query", "--output"):
        parser.add_argument(name)
    asked = parser.parse_args()
    headers = {"Authorization": f"Bearer {os.environ['AZ_TOKEN']}"}
    if asked.body:
        json.loads(asked.body)
        headers["Content-Type"] = "application/json"
    data = asked.body.encode() if asked.body else None
    request = urllib.request.Request(asked.url, data, headers, method=asked.method)
    try:
        trust = ssl.create_default_context(cafile=os.environ["AZ_CA"])
        with urllib.request.urlopen(request, context=trust) as answer:
            body = json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        sys.exit(f"{asked.method} {asked.url}: {error.code} {error.read().decode()}")
    found = [each["id"] for each in body["value"]] if asked.query == "value[].id" else None
    said = "\n".join(found) if found is not None else body["id"] if asked.query else str(body)
    sys.stdout.write(f"{said}\n")


if __name__ == "__main__":
    main()
