-- Limits that an operator sets for one client, in place of the policy's.
--
-- KEYS 1 overrides
-- ARGV 1 clock, 2 duration, 3… alternating names and values; none: all are removed
-- Returns how many limits are set now; when all are removed, 1 if there were any, else 0
--
-- Data: one hash of at most nine fields. Limits set before stay, and all live as long as those set last.
if #ARGV == 2 then return redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('PEXPIRE', KEYS[1], text(math.ceil(tonumber(ARGV[2]) / 1000)))
return redis.call('HLEN', KEYS[1])
