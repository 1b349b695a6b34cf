-- Slots and requests of one client, reserved together: written only if everything needed is available.
--
-- KEYS 1 generation, 2 epochs of the bucket, 3 leases of this kind of slot, 4 requests, 5 overrides, 6 bytes of the day, 7 ungranted
-- ARGV 1 clock, 2 known generation, 3 hold
--      4 epoch of the caller, 5 its time to live, 6 whether it may join (1) or must be known (0)
--      7 the epoch that it replaces for this client (empty: none)
--      8 sequence number, 9 total slots wanted, 10 slots open, 11 slots that may be open when the answer arrives
--      12 limit (0: slots are not asked for), 13 whether one more is needed (1)
--      14 microseconds a request (0: requests are not asked for), 15 requests at once, 16 requests wanted,
--      17 how many of them are being waited for, each with a slot if slots are asked for
--      18 bytes a day that must not be spent (0: not asked for)
--      19 and 20 the names of the limit and of the rate in the overrides, 21 requests that passed without being granted
--      22 start of the caller's contact, 23 when this was sent, 24 slots that are loose
-- Returns status (0 fenced, 1 done, 2 late, 3 the caller knows another generation), generation, hold left,
--      slots granted, slots left for any node (negative: slots open above the limit), requests granted,
--      what is missing (0 nothing, 1 bytes of the day, 2 slots, 3 requests, 4 a slot that may be available: after the roll call, or for a
--      query that arrives in time), microseconds until it is available
--      (0: unknown); if nothing is missing, until there is one more request (0: now), the time
-- Only an answer of status 1 has changed anything.
--
-- Leases: one field per node's epoch, "sequence slots". A lease counts while its epoch is in the bucket's set with a future time, and until
-- one time to live has passed since the caller's contact began: a node out of contact takes away nothing that others could not renew. One
-- of no slots is kept as long, for its sequence number. The count of a node is what it may have open: at least what it says is.
-- Slots opened without a grant (in an outage) are recorded in "ungranted": there is room for what is open as far as the limit is
-- not granted to others, and room for more as far as nothing else is open; so an excess is shed once, and does not become a grant.
-- Bound: the slots granted of a client are at most the limit; while more are open, nothing grows.
-- Requests: the generic cell rate algorithm (ITU-T I.371 annex A). Bound: at most burst + t / interval in any span t. Those that passed
-- without a grant are owed, at most two bursts of them, and nothing passes until they are paid.
-- A day: the UTC one. Slot counts are kept as long as the generation, so that none expires while it could not be renewed.
local since, late = contact(ARGV[22], ARGV[23])
local gen, held, lost = generation(KEYS[1], KEYS[2], ARGV[2], tonumber(ARGV[3]), since)
local epoch, ttl, replaced = ARGV[4], tonumber(ARGV[5]), ARGV[7]
local seq, target, open, held_open = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local most = tonumber(ARGV[12])
local granted, room, requests, missing, wait = 0, 0, 0, 0, 0
-- Slots left by others, and those of them that this node keeps even if refused.
local unheld, kept = 0, 0

local function answer(status) return {status, gen, held, granted, room, requests, missing, wait, now} end

if lost then return answer(3) end

local function lives(other)
    local ends = tonumber(redis.call('ZSCORE', KEYS[2], other) or '')
    -- The clock was set back: see heartbeat.lua.
    if ends and ends > now + ttl + TOLERANCE then
        ends = now + ttl
        redis.call('ZADD', KEYS[2], text(ends), other)
    end
    return ends ~= nil and (late or math.max(ends, since + ttl) > now)
end

local current, gone, ungranted = 0, {}, {}
if most > 0 then
    most = limit(KEYS[5], ARGV[19], ARGV[12])
    local known = lives(epoch)
    if not known and ARGV[6] ~= '1' then return answer(0) end
    local beyond = redis.call('HGETALL', KEYS[7])
    for index = 1, #beyond, 2 do ungranted[beyond[index]] = tonumber(beyond[index + 1]) or 0 end
    local others, theirs = 0, 0
    local leases = redis.call('HGETALL', KEYS[3])
    for index = 1, #leases, 2 do
        local other, last, count = leases[index], string.match(leases[index + 1], '^(%d+) (%d+)$')
        -- An invalid lease is ignored.
        last, count = tonumber(last or '-1'), tonumber(count or '0')
        local its = math.max(count - (ungranted[other] or 0), 0)
        if other == epoch and known then
            if last >= seq then
                granted = its
                return answer(2)
            end
            current = its
        elseif other ~= epoch and other ~= replaced and lives(other) then
            others, theirs = others + count, theirs + its
        else
            gone[#gone + 1] = other
        end
    end
    for _, other in ipairs(gone) do
        redis.call('HDEL', KEYS[3], other)
        -- A late heartbeat does not restore it; the node's other clients may still have leases under a replaced epoch.
        if other ~= replaced then redis.call('ZREM', KEYS[2], other) end
        if ungranted[other] then redis.call('HDEL', KEYS[7], other) end
    end
    unheld = most - others
    room = math.max(unheld, 0)
    -- Above the limit (a node was away, or the limit fell) a node keeps what it was granted, and is granted nothing to open more with.
    kept = math.max(math.min(current, held_open), math.min(open, math.max(most - theirs, 0)))
    granted = math.min(target, math.max(kept, room))
    -- During the roll call others' slots are not known: earlier grants are granted again, even above a limit that was lowered;
    -- the rest waits for its end.
    if held > 0 then
        local firm = open - tonumber(ARGV[24])
        kept = math.max(kept, firm)
        granted = math.min(target, math.max(current, firm), math.max(granted, firm))
    end
    -- A late call counts every lease and frees none; it declares what is open, and is granted nothing more.
    if late then granted = math.min(granted, kept) end
    if ARGV[13] == '1' and granted <= open then
        missing = 2
        if room > open and (held > 0 or late) then missing, wait = 4, held end
    end
end

local spent = tonumber(ARGV[18])
if spent > 0 then
    spent = limit(KEYS[5], 'bytes_per_day', ARGV[18])
    local day = redis.call('HMGET', KEYS[6], 'day', 'used')
    local today, counted, used = math.floor(now / DAY), tonumber(day[1] or ''), tonumber(day[2] or '')
    if counted and used and spent > 0 then
        if counted > today and now >= counted * DAY - TOLERANCE then today = counted end
        if counted >= today and used >= spent then missing, wait = 1, (today + 1) * DAY - now end
    end
end

local interval, burst, owed = tonumber(ARGV[14]), tonumber(ARGV[15]), tonumber(ARGV[21])
if interval > 0 and (missing == 0 or owed > 0) then
    interval = limit(KEYS[5], ARGV[20] .. '_interval', interval, DAY)
    burst = limit(KEYS[5], ARGV[20] .. '_burst', burst, math.floor(1000000000000000 / interval))
    local window = interval * burst
    local arrival = tonumber(redis.call('GET', KEYS[4]) or '0') or 0
    local cut = arrival - now > window + TOLERANCE
    if cut then arrival = now + window end
    -- While something was owed, all requests earned since went to it; what is owed from now on is paid from the present ones.
    local before = ungranted['requests'] or 0
    if most == 0 then before = tonumber(redis.call('HGET', KEYS[7], 'requests') or '0') or 0 end
    local paid = math.min(before, math.max(math.floor((now + window - arrival) / interval), 0))
    arrival = arrival + paid * interval
    local debt = math.min(before - paid + owed, 2 * burst)
    local free = math.max(math.floor((now + window - math.max(arrival, now)) / interval), 0)
    if debt > 0 and free > 0 then
        local more = math.min(debt, free)
        arrival, debt, paid = math.max(arrival, now) + more * interval, debt - more, paid + more
    end
    if debt > 0 then
        redis.call('HSET', KEYS[7], 'requests', text(debt))
    elseif before > 0 then
        redis.call('HDEL', KEYS[7], 'requests')
    end
    local first = math.max(arrival, now)
    local wanted, waiting = tonumber(ARGV[16]), tonumber(ARGV[17])
    if debt > 0 or missing ~= 0 then wanted = 0 end
    if most > 0 then wanted = wanted - waiting + math.min(waiting, math.max(granted - open, 0)) end
    requests = math.max(math.min(wanted, math.floor((now + window - first) / interval)), 0)
    if requests > 0 then arrival = first + requests * interval end
    if requests > 0 or cut or paid > 0 or debt > 0 then
        local paidIn = math.max(arrival - now, 0) + debt * interval
        redis.call('SET', KEYS[4], text(arrival), 'PX', text(math.ceil(paidIn / 1000) + 1000 + slack))
        if debt > 0 then keep(KEYS[7], math.max(paidIn, 3600000000)) end
    end
    if missing == 0 then
        if requests == 0 and waiting > 0 then missing = 3 end
        wait = math.max(first + (debt + requests + 1) * interval - now - window, 0)
    end
end

if most > 0 then
    if ARGV[6] == '1' then
        redis.call('ZADD', KEYS[2], text(now + ttl), epoch)
        keep(KEYS[2], 7 * DAY)
    end
    -- Nothing grows for a refused request; but open slots count.
    if missing ~= 0 then granted = math.min(granted, kept) end
    local counted = math.max(granted, held_open)
    redis.call('HSET', KEYS[3], epoch, text(seq) .. ' ' .. text(counted))
    keep(KEYS[3], (counted > 0 or unheld < most) and 7 * DAY or 3600000000)
    if counted > granted then
        redis.call('HSET', KEYS[7], epoch, text(counted - granted))
        keep(KEYS[7], 7 * DAY)
    elseif ungranted[epoch] then
        redis.call('HDEL', KEYS[7], epoch)
    end
    room = unheld - counted
end
return answer(1)
