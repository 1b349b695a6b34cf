-- Bytes of one client: of its bandwidth and of its day.
--
-- KEYS 1 bandwidth, 2 day, 3 leases of sessions (their count is the number of nodes with leases of the client), 4 overrides
-- ARGV 1 clock
--      2 bytes a second (0: not asked for), 3 bytes at once, 4 bytes that passed beyond earlier grants, 5 bytes wanted
--      6 bytes a day (0: not asked for), 7 bytes that passed beyond earlier leases, 8 bytes of an earlier lease returned, 9 the day
--        of that lease, 10 whether more is wanted (0: no; else what the node passes in half a second, 1 if unknown)
-- Returns bytes of bandwidth granted, microseconds until some are available again (0: now),
--      bytes of the day leased, the day, microseconds until it ends, bytes of the day left to others, the time
--
-- Bandwidth: a token bucket in millionths of a byte, "level time". Bytes that passed are charged at once, into debt if need be; a grant
-- never is. A debt is at most two bursts, and may be 1 MiB. Unused grants expire, so hoards do not grow. Bound: the grants of any span t
-- are at most burst + rate * t. Day: bytes are debited before they are used, in leases of an eighth of what is left by node, 256 KiB to
-- 64 MiB, or half a second's bytes if that is more; so the limit is not exceeded, and a node that dies loses one lease.
local UNIT, MOST, LEAST = 1000000, 4294967296, 1048576
local granted, wait, leased, today, ends, left = 0, 0, 0, 0, 0, 0

local rate = tonumber(ARGV[2])
if rate > 0 then
    rate = limit(KEYS[4], 'bytes_per_second', ARGV[2], 1000000000000)
    local capacity = limit(KEYS[4], 'byte_burst', ARGV[3], MOST) * UNIT
    local level, time = capacity, now
    local bucket = redis.call('GET', KEYS[1])
    if bucket then
        local a, b = string.match(bucket, '^(%-?%d+) (%d+)$')
        -- An invalid bucket is replaced by a new one.
        level, time = math.min(tonumber(a or level), capacity), tonumber(b or now)
        local elapsed = now - time
        if elapsed > 0 then
            if elapsed >= math.floor((capacity - level) / rate) + 1 then level = capacity else level = level + elapsed * rate end
            time = now
        elseif elapsed < -TOLERANCE then
            time = now
        end
    end
    level = math.max(level - math.min(tonumber(ARGV[4]), MOST) * UNIT, -math.min(math.max(2 * capacity, LEAST * UNIT), MOST * UNIT))
    granted = math.min(tonumber(ARGV[5]), math.floor(math.max(level, 0) / UNIT))
    level = level - granted * UNIT
    if level <= 0 then wait = time + math.floor(-level / rate) + 1 - now end
    local full = math.floor((capacity - level) / rate) + 1
    redis.call('SET', KEYS[1], text(level) .. ' ' .. text(time), 'PX', text(math.ceil(full / 1000) + 1000 + slack))
end

local most = tonumber(ARGV[6])
if most > 0 then
    most = limit(KEYS[4], 'bytes_per_day', ARGV[6])
    today = math.floor(now / DAY)
    local day = redis.call('HMGET', KEYS[2], 'day', 'used')
    local used = 0
    local counted, before = tonumber(day[1] or ''), tonumber(day[2] or '')
    if counted and before then
        if counted < today or now < counted * DAY - TOLERANCE then
            if counted > today then used = before end
        else
            today, used = counted, before
        end
    end
    if tonumber(ARGV[9]) == today then used = math.max(used - tonumber(ARGV[8]), 0) end
    used = math.min(used + tonumber(ARGV[7]), 9007199254740991)
    left = math.max(most - used, 0)
    local wanted = tonumber(ARGV[10])
    if wanted > 0 then
        local nodes = math.max(redis.call('HLEN', KEYS[3]), 1)
        leased = math.min(math.max(math.floor(left / (8 * nodes)), 262144), math.max(wanted, 67108864), left)
        used, left = used + leased, left - leased
    end
    ends = (today + 1) * DAY - now
    redis.call('HSET', KEYS[2], 'day', text(today), 'used', text(used))
    keep(KEYS[2], math.max(ends, 0))
end
return {granted, wait, leased, today, ends, left, now}
