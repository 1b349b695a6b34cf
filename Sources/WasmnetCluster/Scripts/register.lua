-- Registers a node as alive; nodes that have not registered for a while are removed. Joins and departures are announced, so that the others
-- know whom to wait for after a loss.
--
-- KEYS 1 all nodes by their last heartbeat, 2 this node
-- ARGV 1 clock, 2 node id, 3 time to live, 4 the channel, 5… the node's entry, alternating fields and values; none: it leaves
-- Returns all nodes
--
-- Data: one member and one hash of ten fields a node, for as long as it lives and one time to live after.
local ttl = tonumber(ARGV[3])
-- If publishing is forbidden the others learn of a new node with their next heartbeat.
local function announce(change) redis.pcall('PUBLISH', ARGV[4], change .. ' ' .. ARGV[2]) end
if #ARGV == 4 then
    redis.call('ZREM', KEYS[1], ARGV[2])
    redis.call('DEL', KEYS[2])
    announce('left')
else
    local isNew = redis.call('ZADD', KEYS[1], text(now), ARGV[2]) == 1
    redis.call('HSET', KEYS[2], 'seen', text(now), unpack(ARGV, 5))
    keep(KEYS[1], ttl)
    keep(KEYS[2], ttl)
    if isNew then announce('joined') end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now - ttl))
return redis.call('ZRANGE', KEYS[1], 0, -1)
