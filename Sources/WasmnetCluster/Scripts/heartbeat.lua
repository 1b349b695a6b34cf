-- Keeps all leases of one node in one bucket alive, and forgets nodes that are gone.
--
-- KEYS 1 generation, 2 epochs of the bucket, 3… leases that the node believes to have there, 32 at most
-- ARGV 1 clock, 2 known generation, 3 hold, 4 start of the caller's contact, 5 when this was sent, 6 epoch,
--      7 its time to live
-- Returns status (0 fenced: its leases no longer count, 1 done, 3 the caller knows another generation), generation, hold left,
--      which of the leases are gone (the sum of 2^0 for the first, 2^1 for the second, and so on), the time
--
-- Data: a set of epochs by the time at which they end. Bound: one member for each node with leases in the bucket, and those that
-- left within one time to live, or since the last query of a node in contact.
local ttl, since, late = tonumber(ARGV[7]), contact(ARGV[4], ARGV[5])
local gen, held, lost = generation(KEYS[1], KEYS[2], ARGV[2], tonumber(ARGV[3]), since)
if lost then return {3, gen, held, 0, now} end
local ends = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[6]) or '')
if not ends or (not late and math.max(ends, since + ttl) <= now) then return {0, gen, held, 0, now} end
redis.call('ZADD', KEYS[2], text(now + ttl), ARGV[6])
-- A late one frees nothing.
if not late and since + ttl <= now then
    redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', text(now))
end
-- If the clock was set back, a node that is gone is waited for no longer than one that was heard just now.
for _, other in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], text(now + ttl + TOLERANCE), '+inf')) do
    redis.call('ZADD', KEYS[2], text(now + ttl), other)
end
keep(KEYS[2], 7 * DAY)
local gone = 0
for index = 3, #KEYS do
    if redis.call('HEXISTS', KEYS[index], ARGV[6]) == 0 then gone = gone + 2 ^ (index - 3) end
end
return {1, gen, held, gone, now}
