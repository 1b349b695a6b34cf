-- Changes the denylist: atomically the entries, the log of changes and the message to all subscribers.
--
-- KEYS 1 list's metadata, 2 entries, 3 entries by expiry, 4 log, 5 ids of versions
-- ARGV 1 clock, 2 flags (1: a list that begins here is not shown yet, 2: a new list replaces the old one first, 4: an entry that
--      exists and ends later stays), 3 length of the log, 4 most entries, 5 most to remove, 6 channel, 7 random part of an id,
--      8 most ids, 9 an id that the list must have passed through (empty: any), 10 a version that it must exceed afterwards, 11 how
--      many ids follow whose entries it includes from now on, then those, then the changes:
--      '+', subject, expiry's kind (0 none, 1 from now, 2 moment), expiry, mark, reason
--      '-', subject
-- Returns generation (0: there is no list, or it is another), version, digest, entries, the version's id, then the outcome of
-- each change (DenylistOutcome)
--
-- Data: a hash of subject to "mark expiry reason", times in milliseconds, expiry 0 for none; a sorted set of those that expire; a
-- stream of records, "+ expiry subject reason" or "- subject", whose ids are versions. They have no expiry: the list is the
-- only copy. The digest is the sum of marks and expiries; it and every time stay below 2^48.
--
-- Each version made here has an id, kept in a sorted set by a running number: a node with a version whose id is there has an earlier
-- version of this list. `of` says whose id it is: earlier versions of the program write versions without.
local LAST, SUM = 253402300799999, 281474976710656
local ms = math.floor(now / 1000)
local meta = redis.call('HMGET', KEYS[1], 'generation', 'version', 'digest', 'building', 'id', 'of')
if ARGV[9] ~= '' and ARGV[9] ~= meta[5] and not redis.call('ZSCORE', KEYS[5], ARGV[9]) then return {0, 0, 0, 0, ''} end
local generation, version = tonumber(meta[1] or 0), tonumber(meta[2] or 0)
local digest, building = tonumber(meta[3] or 0), meta[4] == '1'
local flags = tonumber(ARGV[2])
local hold, clears, joins = flags % 2 == 1, math.floor(flags / 2) % 2 == 1, flags >= 4
local first, began, was, records = version, false, building, {}

local function name() return text(generation) .. ' ' .. text(version) end
local id = meta[6] == name() and meta[5] or '-'

local function begin()
    if generation ~= 0 then version = version + 1 end
    generation, digest = math.max(now, generation + 1), 0
    began, building = true, hold
    redis.call('HSET', KEYS[1], 'generation', text(generation), 'replaces', clears and text(generation) or '')
    redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4])
end

local function log(record)
    version = version + 1
    redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[3], text(version) .. '-0', 'r', record)
    records[#records + 1] = record
end

local function read(subject)
    local value = redis.call('HGET', KEYS[2], subject)
    if not value then return nil end
    local mark, expiry, reason = value:match('^(%d+) (%d+) (.*)$')
    return { mark = tonumber(mark), expiry = tonumber(expiry), reason = reason }
end

local function drop(subject, entry)
    redis.call('HDEL', KEYS[2], subject)
    redis.call('ZREM', KEYS[3], subject)
    digest = (digest - entry.mark - entry.expiry) % SUM
    log('- ' .. subject)
end

local function put(subject, entry)
    redis.call('HSET', KEYS[2], subject, text(entry.mark) .. ' ' .. text(entry.expiry) .. ' ' .. entry.reason)
    if entry.expiry > 0 then
        redis.call('ZADD', KEYS[3], text(entry.expiry), subject)
    else
        redis.call('ZREM', KEYS[3], subject)
    end
    digest = (digest + entry.mark + entry.expiry) % SUM
    log('+ ' .. text(entry.expiry) .. ' ' .. subject .. ' ' .. entry.reason)
end

-- The valid entry; an expired one is removed first.
local function current(subject)
    local entry = read(subject)
    if not entry or entry.expiry == 0 or entry.expiry > ms then return entry end
    drop(subject, entry)
    return nil
end

local function add(subject, kind, value, mark, reason)
    local expiry = 0
    if kind ~= '0' then
        expiry = math.min(math.max(tonumber(value) + (kind == '1' and ms or 0), 1), LAST)
        if expiry <= ms then return 6 end
    end
    local old = current(subject)
    if old and old.expiry == expiry and old.reason == reason then return 3 end
    if old and joins and (old.expiry == 0 or (expiry ~= 0 and expiry <= old.expiry)) then return 3 end
    if not old and redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[4]) then return 7 end
    if generation == 0 then begin() end
    if old then digest = (digest - old.mark - old.expiry) % SUM end
    put(subject, { mark = tonumber(mark), expiry = expiry, reason = reason })
    return old and 2 or 1
end

if clears then
    -- Runs before the first write that needs memory.
    redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4])
    begin()
end
if generation ~= 0 then
    for _, subject in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', text(ms), 'LIMIT', 0, ARGV[5])) do
        local entry = read(subject)
        if entry then drop(subject, entry) end
    end
end

-- How many ids are given.
local joined = tonumber(ARGV[11])
local outcomes, at = {}, 12 + joined
while ARGV[at] do
    local outcome
    if ARGV[at] == '+' then
        outcome = add(ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5])
        at = at + 6
    else
        local entry = current(ARGV[at + 1])
        if entry then drop(ARGV[at + 1], entry) end
        outcome = entry and 4 or 5
        at = at + 2
    end
    outcomes[#outcomes + 1] = outcome
end

-- The last number of an id: the newest is the last to be forgotten.
local function remember(ids)
    local last = tonumber(redis.call('ZREVRANGE', KEYS[5], 0, 0, 'WITHSCORES')[2] or 0)
    for index, one in ipairs(ids) do redis.call('ZADD', KEYS[5], text(last + index), one) end
    redis.call('ZREMRANGEBYRANK', KEYS[5], 0, -1 - tonumber(ARGV[8]))
end

if not hold then building = false end
if generation == 0 then return {0, version, digest, 0, '', unpack(outcomes)} end
if joined > 0 then version = math.max(version, tonumber(ARGV[10]) + 1) end
if began or version ~= first or building ~= was or joined > 0 or id == '-' then
    local before, ids = id, {}
    id = text(version) .. '-' .. ARGV[7]
    redis.call(
        'HSET', KEYS[1], 'version', text(version), 'digest', text(digest), 'building', building and '1' or '0', 'id', id,
        'of', name())
    for index = 1, joined do ids[index] = ARGV[11 + index] end
    ids[joined + 1] = id
    remember(ids)
    if not building and (began or version ~= first or was or joined > 0) then
        -- Longer ones are read from the log.
        local tail = #records <= 16 and table.concat(records, '\n') or ''
        -- Only a hint: a user without permission to publish has changed the list all the same.
        redis.pcall(
            'PUBLISH', ARGV[6],
            text(generation) .. ' ' .. text(first) .. ' ' .. text(version) .. ' ' .. text(digest) .. ' b' .. before
                .. ' n' .. id .. '\n' .. tail)
    end
end
return {generation, version, digest, redis.call('HLEN', KEYS[2]), id, unpack(outcomes)}
