-- Keeps all leases of one node in one bucket alive, and forgets nodes that are gone.
--
-- KEYS 1 generation, 2 epochs of the bucket
-- ARGV 1 clock, 2 known generation, 3 hold, 4 epoch, 5 its time to live
-- Returns status (0 fenced: its leases do not count any more, 1 done, 3 the caller knows another generation), generation, hold left
--
-- Data: a set of epochs by the time at which they end. Bound: one member for each node with leases in the bucket, and those that
-- went within one time to live.
local gen, held, lost = generation(KEYS[1], ARGV[2], tonumber(ARGV[3]))
if lost then return {3, gen, held} end
local ttl = tonumber(ARGV[5])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', text(now))
if not redis.call('ZSCORE', KEYS[2], ARGV[4]) then return {0, gen, held} end
redis.call('ZADD', KEYS[2], text(now + ttl), ARGV[4])
keep(KEYS[2], ttl)
return {1, gen, held}
