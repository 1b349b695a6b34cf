-- What changed in the denylist since a version. Writes nothing.
--
-- KEYS 1 what the list says of itself, 2 entries, 3 log
-- ARGV 1 clock, 2 known generation, 3 known version, 4 most records
-- Returns status (0 no list, or one that is not shown yet; 1 nothing changed; 2 the next records follow; 3 they are not in the log),
-- the time in microseconds, generation, version, digest, entries, then the records
local meta = redis.call('HMGET', KEYS[1], 'generation', 'version', 'digest', 'building')
if not meta[1] or meta[4] == '1' then return {0, now, 0, 0, 0, 0} end
local reply = {
    3, now, tonumber(meta[1]), tonumber(meta[2] or 0), tonumber(meta[3] or 0), redis.call('HLEN', KEYS[2]),
}
if meta[1] ~= ARGV[2] then return reply end
if meta[2] == ARGV[3] then
    reply[1] = 1
    return reply
end
local known = tonumber(ARGV[3])
if known > reply[4] then return reply end
for index, item in ipairs(redis.call('XRANGE', KEYS[3], '(' .. ARGV[3] .. '-0', '+', 'COUNT', ARGV[4])) do
    -- The id is the version.
    if item[1] ~= text(known + index) .. '-0' then return reply end
    reply[6 + index] = item[2][2]
end
if reply[7] then reply[1] = 2 end
return reply
