-- The common beginning of every script. A script touches the keys of one client or of one bucket of clients, all in one hash slot and
-- all in KEYS; it returns integers only. Times are microseconds since the Unix epoch, below 2^53, so doubles hold them exactly.
--
-- ARGV[1] is 0: the server's clock decides (the rule). Otherwise it is the caller's, for servers that refuse TIME in scripts and for
-- tests; keys then live an hour longer, since callers' clocks differ.
--
-- The first write of a script is one that a server without memory refuses: it lets a script that has begun to write continue,
-- which would make its memory limit useless.
local now, slack = tonumber(ARGV[1]), 3600000
if now == 0 then
    local time = redis.call('TIME')
    now, slack = tonumber(time[1]) * 1000000 + tonumber(time[2]), 0
end

-- Clocks may run backwards this far without counting as set back.
local TOLERANCE = 1000000
local DAY = 86400000000

-- Integers as text: Lua's own format switches to an exponent at 10^14.
local function text(number) return string.format('%.0f', number) end

-- Keeps a key for this many microseconds from now.
local function keep(key, micros) redis.call('PEXPIRE', key, text(math.ceil(micros / 1000) + 1000 + slack)) end

-- A call that took longer than this to arrive is late: much may have changed since.
local LATE = 300000

-- Since when a caller and this server have been in unbroken contact, and whether its call is late; then its contact may have broken
-- since. `since` and `sent` are by this server's clock as the caller knows it, 0 if unknown.
local function contact(since, sent)
    local late = math.abs(now - tonumber(sent)) > LATE
    since = tonumber(since)
    if late or since == 0 then since = now end
    return since, late
end

-- The answering process, as a number: after a restart or a failover its data may be old. 0: this user may not ask.
local function process()
    local info = redis.pcall('INFO', 'server')
    local at = type(info) == 'string' and string.find(info, 'run_id:', 1, true)
    return at and tonumber(string.sub(info, at + 7, at + 18), 16) or 0
end

-- Which server of a Redis Cluster this is; it keeps its name across restarts. Empty without a Cluster, or if this user may not ask.
local function server()
    local id = redis.pcall('CLUSTER', 'MYID')
    return type(id) == 'string' and id or ''
end

-- Whether a bucket moved here with its slot, complete, from the server that last wrote it: that one is healthy and serves others. Otherwise
-- this server was its replica, and may lack the last writes.
local function moved(writer)
    if not writer or writer == '' or writer == server() then return false end
    local nodes = redis.pcall('CLUSTER', 'NODES')
    for line in string.gmatch(type(nodes) == 'string' and nodes or '', '[^\n]+') do
        local id, flags, slots = string.match(line, '^(%S+) %S+ (%S+) %S+ %S+ %S+ %S+ %S+ ?(.*)$')
        if id == writer then
            return string.find(flags, 'master') ~= nil and not string.find(flags, 'fail') and string.find(slots, '%d') ~= nil
        end
    end
    return false
end

-- Records that this process wrote a bucket last.
local function sign(key, this) redis.call('HSET', key, 'process', text(this), 'server', server()) end

-- The nodes that have answered in a roll call are kept in the generation's hash until the next one begins, or this one is over.
local function forgetAnswers(key)
    for _, field in ipairs(redis.call('HKEYS', key)) do
        if string.sub(field, 1, 5) == 'node:' then redis.call('HDEL', key, field) end
    end
end

-- The generation of a bucket: a number for its data, as long as there was no loss. It ends when it is gone, when the answering process is
-- not the one that last wrote it, unless its slot of a Cluster moved, and when a caller knows a later one. Then no earlier lease
-- counts, and the nodes hold a roll call: each declares again what it holds, and no lease grows until all have (rollcall.lua), or
-- until `hold` has passed with the caller in contact. `hold` is longer than a lease, so a node unaware of the loss
-- has stopped admitting when others grow.
-- Returns the generation, how long growth is held, and whether the caller knows another one: then it is notified, and its request
-- is not done, since it may have been sent before the loss.
local function generation(key, epochs, known, hold, since)
    local fields = redis.call('HMGET', key, 'id', 'process', 'until', 'server')
    local id, writer, ends = tonumber(fields[1] or ''), tonumber(fields[2] or '') or 0, tonumber(fields[3] or '') or 0
    local this, asked = process(), tonumber(known)
    local isOther = this ~= 0 and writer ~= this
    local isNew = not id or asked > id or (isOther and writer ~= 0 and not moved(fields[4]))
    if isNew then id, ends = math.max(now, (id or 0) + 1, asked + 1), now + hold end
    -- No later than a roll call that begins now: the clock may have been set back.
    ends = math.min(ends, now + hold)
    if ends > 0 and math.max(ends, since + hold) <= now then ends = 0 end
    -- The first write: see above.
    redis.call('HSET', key, 'id', text(id), 'until', text(ends))
    if isNew then
        redis.call('DEL', epochs)
        forgetAnswers(key)
    end
    if isNew or isOther then sign(key, this) end
    keep(key, 7 * DAY)
    local left = 0
    if ends > 0 then left = math.min(math.max(ends, since + hold) - now, hold) end
    return id, left, asked ~= 0 and asked ~= id
end

-- A client's own limit if an operator set one, else the caller's. Whatever the key contains, the result is an integer from 1
-- to `most` (2^53 if not given, the largest that all doubles below are exact): a greater one would turn negative in an answer.
local function limit(key, field, given, most)
    local own = tonumber(redis.call('HGET', key, field) or '')
    if not own or not (own >= 1) then return tonumber(given) end
    return math.floor(math.min(own, most or 9007199254740992))
end
