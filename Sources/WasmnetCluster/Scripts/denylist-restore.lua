-- Replaces an earlier version of a node's list, or none, with that list: written beside it in pieces, then swapped in at once.
--
-- KEYS 1 list's metadata, 2 entries, 3 entries by expiry, 4 log, 5 ids of versions, 6 metadata of the pieces,
--      7 their entries, 8 those by expiry
-- ARGV 1 clock, 2 the expected list, "generation version id" (empty: there is none), 3 the writer, 4 entries in the earlier
--      pieces, 5 channel, 6 most ids, 7 whether this is the last piece, 8 generation, 9 version, 10 digest, 11 id, 12 how many ids
--      of versions it has passed through follow, then those, then for each entry subject, expiry, mark and reason
-- Returns 0 (the list or the pieces have changed), 1 (the piece is written) or 2 (the list is in place)
local meta = redis.call('HMGET', KEYS[1], 'generation', 'version', 'id')
local seen = meta[1] and table.concat({ meta[1], meta[2] or '0', meta[3] or '' }, ' ') or ''
if seen ~= ARGV[2] then return 0 end

local count = tonumber(ARGV[4])
if count > 0 then
    local pieces = redis.call('HMGET', KEYS[6], 'writer', 'count')
    if pieces[1] ~= ARGV[3] or pieces[2] ~= ARGV[4] then return 0 end
end
redis.call('HSET', KEYS[6], 'writer', ARGV[3])
if count == 0 then redis.call('UNLINK', KEYS[7], KEYS[8]) end
for at = 13 + tonumber(ARGV[12]), #ARGV, 4 do
    local subject, expiry = ARGV[at], ARGV[at + 1]
    redis.call('HSET', KEYS[7], subject, ARGV[at + 2] .. ' ' .. expiry .. ' ' .. ARGV[at + 3])
    if expiry ~= '0' then redis.call('ZADD', KEYS[8], expiry, subject) end
    count = count + 1
end
redis.call('HSET', KEYS[6], 'count', text(count))
if ARGV[7] ~= '1' then
    -- Abandoned pieces expire.
    for index = 6, 8 do redis.call('PEXPIRE', KEYS[index], '60000') end
    return 1
end

redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4], KEYS[6])
for index = 7, 8 do
    if redis.call('EXISTS', KEYS[index]) == 1 then
        redis.call('RENAME', KEYS[index], KEYS[index - 5])
        redis.call('PERSIST', KEYS[index - 5])
    end
end
redis.call(
    'HSET', KEYS[1], 'generation', ARGV[8], 'version', ARGV[9], 'digest', ARGV[10], 'building', '0', 'id', ARGV[11], 'of',
    ARGV[8] .. ' ' .. ARGV[9], 'replaces', '')
local last = tonumber(redis.call('ZREVRANGE', KEYS[5], 0, 0, 'WITHSCORES')[2] or 0)
for index = 1, tonumber(ARGV[12]) do redis.call('ZADD', KEYS[5], text(last + index), ARGV[12 + index]) end
redis.call('ZREMRANGEBYRANK', KEYS[5], 0, -1 - tonumber(ARGV[6]))
-- Only a hint, without changes.
redis.pcall(
    'PUBLISH', ARGV[5], ARGV[8] .. ' ' .. ARGV[9] .. ' ' .. ARGV[9] .. ' ' .. ARGV[10] .. ' b- n' .. ARGV[11])
return 2
