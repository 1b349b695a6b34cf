-- Which of the commands used by scripts this user may not run: each is tried on a key that does not exist, and none remains.
--
-- KEYS 1 such a key
-- ARGV 1 clock
-- Returns the names of those commands
local key, refused = KEYS[1], {}
for _, command in ipairs({
    {'SET', key, ''}, {'GET', key}, {'TYPE', key}, {'EXISTS', key}, {'PEXPIRE', key, '1000'}, {'PERSIST', key}, {'DEL', key},
    {'HSET', key, 'a', '1'}, {'HGET', key, 'a'}, {'HMGET', key, 'a'}, {'HGETALL', key}, {'HKEYS', key}, {'HLEN', key},
    {'HEXISTS', key, 'a'}, {'HDEL', key, 'a'},
    {'ZADD', key, '1', 'a'}, {'ZSCORE', key, 'a'}, {'ZRANGE', key, '0', '1'}, {'ZREVRANGE', key, '0', '1'},
    {'ZRANGEBYSCORE', key, '0', '1'}, {'ZREMRANGEBYSCORE', key, '0', '0'}, {'ZREMRANGEBYRANK', key, '9', '9'}, {'ZREM', key, 'a'},
    {'TIME'}, {'XADD', key, '*', 'a', '1'}, {'XRANGE', key, '-', '+', 'COUNT', '1'}, {'RENAME', key, key}, {'UNLINK', key},
}) do
    local answer = redis.pcall(unpack(command))
    local words = type(answer) == 'table' and answer.err or ''
    -- Servers word this differently within a script.
    local isRight = words:find('NOPERM') or words:find('ACL failure') or words:find('user executing the script')
    if isRight then refused[#refused + 1] = command[1] end
end
return refused
