"""At most so many requests a second by a key: a token bucket in Redis, whichever process answers.

It holds a second's worth of requests, at least one. A look and its consequence are one script, so that two
requests at once never take the same token.
"""

import logging
import math

import redis

from serving.models import ApiKey
from serving.services.redis_client import redis_client

logger = logging.getLogger(__name__)

# The time is that of Redis: the clocks of two web servers may differ. Returns the seconds to wait.
_TAKE = """
local rate, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1e6
local seen = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = math.min(most, (tonumber(seen[1]) or most) + (now - (tonumber(seen[2]) or now)) * rate)
local wait = 0
if tokens >= 1 then tokens = tokens - 1 else wait = (1 - tokens) / rate end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], math.ceil(most / rate) + 1)
return tostring(wait)
"""


class TooManyRequests(Exception):
    def __init__(self, wait: float) -> None:
        super().__init__(wait)
        self.wait = wait  # seconds


def request_admit(*, key: ApiKey) -> None:
    """Take a token, if the key has a limit. Raises TooManyRequests.

    Without Redis nobody counts, and everybody is let in: predictions do not depend on it.
    """
    rate = key.requests_per_second
    if rate is None:
        return
    try:
        found = redis_client().eval(_TAKE, 1, f"throttle:{key.pk}", rate, max(1, math.ceil(rate)))
    except redis.RedisError as error:
        logger.warning("The limit of key %s is not kept: %s", key.prefix, error)
        return
    wait = float(found)
    if wait > 0:
        raise TooManyRequests(wait)
