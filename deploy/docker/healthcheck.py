"""Ask the process of this container whether it lives; exit code 1 when it does not say so."""

import http.client
import os
import ssl
import sys

_PATIENCE = 4


def alive(environment: dict[str, str]) -> bool:
    """Return whether the process answers on its own port.

    Args:
        environment: of the container: the gateway answers on its HTTP port, services on their
            operations port. The gateway speaks TLS when it has a certificate, which is not
            checked: nobody stands between a process and its own container.
    """
    gateway = environment.get("SERVICE") == "gateway"
    if gateway:
        port, path = environment.get("ANNALS_HTTP_PORT", "8080"), "/healthz"
    else:
        port, path = environment.get("ANNALS_OPERATIONS_PORT", "9464"), "/livez"
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=_PATIENCE)
    if gateway and environment.get("ANNALS_TLS_CERTIFICATE"):
        unchecked = ssl.create_default_context()
        unchecked.check_hostname = False
        unchecked.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(
            "127.0.0.1", int(port), timeout=_PATIENCE, context=unchecked
        )
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return answer.status == http.client.OK


if __name__ == "__main__":
    sys.exit(0 if alive(dict(os.environ)) else 1)
