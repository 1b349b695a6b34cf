-- Limits that an operator sets for one client, in place of the policy's.
--
-- KEYS 1 overrides
-- ARGV 1 clock, 2 for how long, 3… names and values in turns; none: all go
-- Returns how many limits are set now; where all go, 1 if there were any, else 0
--
-- Data: one hash of at most nine fields. What was set before stays, and all live as long as what was set last.
if #ARGV == 2 then return redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('PEXPIRE', KEYS[1], text(math.ceil(tonumber(ARGV[2]) / 1000)))
return redis.call('HLEN', KEYS[1])
