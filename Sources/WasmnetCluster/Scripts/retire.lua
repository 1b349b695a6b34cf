-- Ends a node's epoch in one bucket: all its leases there stop counting at once.
--
-- KEYS 1 epochs of the bucket
-- ARGV 1 clock, 2 epoch
-- Returns 1 if it was there, else 0
return redis.call('ZREM', KEYS[1], ARGV[2])
