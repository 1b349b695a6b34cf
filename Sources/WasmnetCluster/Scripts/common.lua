-- What every script begins with. A script touches the keys of one client or of one bucket of clients, all in one hash slot and
-- all in KEYS; it returns integers only. Times are microseconds since the Unix epoch, below 2^53, so doubles hold them exactly.
--
-- ARGV[1] is 0: the server's clock decides (the rule). Else it is the caller's, for servers that refuse TIME in scripts and for
-- tests; keys then live an hour longer, since callers' clocks differ.
--
-- The first write of a script is one that a server without memory refuses: it lets a script that has begun to write go on, and
-- then its limit on memory would be none.
local now, slack = tonumber(ARGV[1]), 3600000
if now == 0 then
    local time = redis.call('TIME')
    now, slack = tonumber(time[1]) * 1000000 + tonumber(time[2]), 0
end

-- Clocks may run backwards this far without meaning a stepped clock.
local TOLERANCE = 1000000
local DAY = 86400000000

-- Whole numbers as text: Lua's own form turns to an exponent at 10^14.
local function text(number) return string.format('%.0f', number) end

-- Keeps a key for so many microseconds from now.
local function keep(key, micros) redis.call('PEXPIRE', key, text(math.ceil(micros / 1000) + 1000 + slack)) end

-- The generation of a bucket: when its data began. A caller that knows another one (not 0) tells that data was lost. Then for `hold`
-- from that beginning nobody's leases grow beyond what is open, while the nodes declare again; `hold` is longer than a lease, so
-- that whoever has not heard of the loss has stopped admitting when others grow. Between the loss and the first who tells of it,
-- only a process that began after the loss can grow, for at most one heartbeat.
-- Returns the generation, for how long growth is held, and whether the caller knows another one: then it is told so, and what it asks
-- is not done, for it may have been sent before the loss.
local function generation(key, known, hold)
    local id = redis.call('HGET', key, 'id')
    if not tonumber(id or '') then
        id = text(now)
        redis.call('HSET', key, 'until', '0')
    end
    redis.call('HSET', key, 'id', id)
    keep(key, 7 * DAY)
    local lost = known ~= '0' and known ~= id
    if lost then redis.call('HSET', key, 'until', text(tonumber(id) + hold)) end
    local left = (tonumber(redis.call('HGET', key, 'until') or '0') or 0) - now
    return tonumber(id), math.min(math.max(left, 0), hold), lost
end

-- A client's own limit where an operator set one, else the caller's. Whatever stands in the key, what comes of it is a whole number of 1
-- to `most` (2^53 if not given, the largest that all doubles below are exact): a greater one would turn negative in an answer.
local function limit(key, field, given, most)
    local own = tonumber(redis.call('HGET', key, field) or '')
    if not own or not (own >= 1) then return tonumber(given) end
    return math.floor(math.min(own, most or 9007199254740992))
end
