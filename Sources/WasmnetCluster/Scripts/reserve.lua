-- Slots and requests of one client, reserved together: written only if everything that is needed is there.
--
-- KEYS 1 generation, 2 epochs of the bucket, 3 leases of this kind of slot, 4 requests, 5 overrides, 6 bytes of the day
-- ARGV 1 clock, 2 known generation, 3 hold
--      4 epoch of the caller, 5 its time to live, 6 whether it may join (1) or must be known (0)
--      7 sequence number, 8 slots wanted in all, 9 slots open, 10 limit (0: slots are not asked for), 11 whether one more is needed
--      12 microseconds a request (0: requests are not asked for), 13 requests at once, 14 requests wanted, 15 whether one is needed
--      16 bytes a day that must not be spent (0: not asked for)
--      17 and 18 the names of the limit and of the rate in the overrides
--      19 the epoch that the caller's replaces: what stands under it is the same sockets
-- Returns status (0 fenced or data lost, 1 done, 2 late), generation, hold left, slots granted, slots left to everybody, requests granted,
--      what is missing (0 nothing, 1 bytes of the day, 2 slots, 3 requests), microseconds until it is there (0: unknown)
--
-- Leases: one field a node's epoch, "sequence slots". A lease counts while its epoch is in the bucket's set with a time to come.
-- Bound: the slots granted of a client are at most the limit, unless more were open when a node declared; those are counted too,
-- and nothing grows until they are gone.
-- Requests: the generic cell rate algorithm (ITU-T I.371 annex A). Bound: at most burst + t / interval in any span t.
-- A day: the UTC one. No key outlives its use by more than an hour.
local gen, held, lost = generation(KEYS[1], ARGV[2], tonumber(ARGV[3]))
local epoch, ttl = ARGV[4], tonumber(ARGV[5])
local seq, target, open = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local most = tonumber(ARGV[10])
local granted, room, requests, missing, wait = target, 0, 0, 0, 0

local function answer(status) return {status, gen, held, granted, room, requests, missing, wait} end

if lost then
    granted = 0
    return answer(0)
end

local current = 0
if most > 0 then
    most = limit(KEYS[5], ARGV[17], ARGV[10])
    if ARGV[6] == '0' and tonumber(redis.call('ZSCORE', KEYS[2], epoch) or '0') <= now then
        granted = 0
        return answer(0)
    end
    local others = 0
    local leases = redis.call('HGETALL', KEYS[3])
    for index = 1, #leases, 2 do
        local count = tonumber(string.match(leases[index + 1], ' (%d+)'))
        if leases[index] == epoch then
            if tonumber(string.match(leases[index + 1], '^(%d+)')) >= seq then
                granted = count
                return answer(2)
            end
            current = count
        elseif leases[index] ~= ARGV[19] and tonumber(redis.call('ZSCORE', KEYS[2], leases[index]) or '0') > now then
            others = others + count
        else
            redis.call('HDEL', KEYS[3], leases[index])
        end
    end
    if ARGV[6] == '1' then
        redis.call('ZADD', KEYS[2], text(now + ttl), epoch)
        keep(KEYS[2], ttl)
    end
    room = math.max(most - others, 0)
    -- Above the limit (a node was away, or the limit fell) a node keeps what is open, and nothing to open more with.
    granted = math.min(target, math.max(math.min(current, open), room))
    if held > 0 then granted = math.min(granted, math.max(current, open)) end
    if ARGV[11] == '1' and granted <= open then
        missing = 2
        if held > 0 and room > open then wait = held end
    end
end

local spent = tonumber(ARGV[16])
if spent > 0 then
    spent = limit(KEYS[5], 'bytes_per_day', ARGV[16])
    local day = redis.call('HMGET', KEYS[6], 'day', 'used')
    local today = math.floor(now / DAY)
    if spent > 0 and tonumber(day[1] or '-1') >= today and tonumber(day[2]) >= spent then
        missing, wait = 1, (tonumber(day[1]) + 1) * DAY - now
    end
end

local interval, burst = tonumber(ARGV[12]), tonumber(ARGV[13])
if interval > 0 and missing == 0 then
    interval = limit(KEYS[5], ARGV[18] .. '_interval', interval)
    burst = limit(KEYS[5], ARGV[18] .. '_burst', burst)
    local window = interval * burst
    local arrival = tonumber(redis.call('GET', KEYS[4]) or '0')
    local cut = arrival - now > window + TOLERANCE
    if cut then arrival = now + window end
    local first = math.max(arrival, now)
    local wanted = tonumber(ARGV[14])
    if most > 0 then wanted = math.min(wanted, math.max(granted - open, 0)) end
    requests = math.max(math.min(wanted, math.floor((now + window - first) / interval)), 0)
    if requests > 0 or cut then
        arrival = requests > 0 and first + requests * interval or arrival
        redis.call('SET', KEYS[4], text(arrival), 'PX', text(math.ceil(math.max(arrival - now, 0) / 1000) + 1000 + slack))
    end
    if requests == 0 and ARGV[15] == '1' then
        missing, wait = 3, first + interval - now - window
    end
end

if most > 0 then
    -- Nothing grows for a request that is refused; and what is open is open.
    if missing ~= 0 then granted = math.min(granted, math.max(current, open)) end
    local counted = math.max(granted, open)
    redis.call('HSET', KEYS[3], epoch, text(seq) .. ' ' .. text(counted))
    keep(KEYS[3], 3600000000)
    room = math.max(room - counted, 0)
end
return answer(1)
