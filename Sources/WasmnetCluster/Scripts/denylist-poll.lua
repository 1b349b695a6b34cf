-- What changed in the denylist since a version. Writes nothing.
--
-- KEYS 1 list's metadata, 2 entries, 3 log, 4 ids of versions
-- ARGV 1 clock, 2 known generation (0: nothing is known), 3 known version, 4 most records, 5 its id, or the last before it (empty: none)
-- Returns status (0 no list; 1 nothing changed; 2 the next records follow; 3 they are not in the log; 4 the list has not passed through
-- the known version), the time in microseconds, generation, version, digest, entries, flags (1: the list is not shown yet, 2: it was
-- begun to replace all earlier ones, 4: the id is this version's own), id, then the records
local meta = redis.call('HMGET', KEYS[1], 'generation', 'version', 'digest', 'building', 'id', 'of', 'replaces')
if not meta[1] then return {0, now, 0, 0, 0, 0, 0, ''} end
local version, known = tonumber(meta[2] or 0), tonumber(ARGV[3])
local flags = meta[4] == '1' and 1 or 0
if meta[7] == meta[1] then flags = flags + 2 end
if meta[6] == meta[1] .. ' ' .. text(version) then flags = flags + 4 end
local reply = {
    3, now, tonumber(meta[1]), version, tonumber(meta[3] or 0), redis.call('HLEN', KEYS[2]), flags, meta[5] or '',
}
if ARGV[2] == '0' then return reply end
local descends
if ARGV[5] == '' then
    descends = meta[1] == ARGV[2]
else
    descends = ARGV[5] == meta[5] or redis.call('ZSCORE', KEYS[4], ARGV[5])
end
if not descends or (meta[1] == ARGV[2] and version < known) then
    reply[1] = 4
    return reply
end
if meta[1] ~= ARGV[2] then return reply end
if version == known then
    reply[1] = 1
    return reply
end
for index, item in ipairs(redis.call('XRANGE', KEYS[3], '(' .. ARGV[3] .. '-0', '+', 'COUNT', ARGV[4])) do
    -- The id is the version.
    if item[1] ~= text(known + index) .. '-0' then return reply end
    reply[8 + index] = item[2][2]
end
if reply[9] then reply[1] = 2 end
return reply
