-- Removes keys whose type is not the one the other scripts use: their counts begin anew.
--
-- KEYS any of one client or bucket
-- ARGV 1 clock, 2… the type of each key
-- Returns how many were removed, the time
local removed = 0
for index, key in ipairs(KEYS) do
    local found = redis.call('TYPE', key).ok
    if found ~= 'none' and found ~= ARGV[index + 1] then removed = removed + redis.call('UNLINK', key) end
end
return {removed, now}
