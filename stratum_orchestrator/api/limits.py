"""How much may be asked at a time."""

MAX_BODY = 64 * 1024
"""Bytes of a request's body."""
MAX_HEADER = 8 * 1024
"""Bytes of one line of a request's head."""
MAX_REQUESTS = 256
"""Requests in hand at one time, those that wait for a change included."""
MAX_CONNECTIONS = 1024
"""Open at one time, idle ones included: steps need descriptors, too."""
MAX_OF_OTHERS = 192
"""Of them, of all who do not hold the token of the home."""
MAX_OF_ONE = 64
"""Of them, of one of those."""
