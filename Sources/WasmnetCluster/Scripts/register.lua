-- A node tells that it lives; nodes that have not for a while are forgotten. Who comes or goes is announced, so that the others know whom to
-- wait for should data be lost.
--
-- KEYS 1 all nodes by their last heartbeat, 2 this node
-- ARGV 1 clock, 2 node id, 3 time to live, 4 the channel, 5… what the node says of itself, field and value in turns; none: it goes
-- Returns all nodes
--
-- Data: one member and one hash of ten fields a node, for as long as it lives and one time to live after.
local ttl = tonumber(ARGV[3])
-- Where publishing is forbidden the others read of who came with their next heartbeat.
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
