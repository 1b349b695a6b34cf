-- A node has declared again all that it holds in a bucket. When all nodes that it knows have, the hold ends.
--
-- KEYS 1 generation, 2 epochs of the bucket
-- ARGV 1 clock, 2 known generation, 3 hold, 4 start of the caller's contact, 5 when this was sent, 6 the node,
--      7… the nodes that it waits for
-- Returns status (1 done, 3 the caller knows another generation), generation, hold left,
--      which of the first 52 of them are missing (the sum of 2^0 for the first, 2^1 for the second, and so on), the time
--
-- Data: one field a node in the generation's hash, until the roll call ends.
local gen, held, lost = generation(KEYS[1], KEYS[2], ARGV[2], tonumber(ARGV[3]), (contact(ARGV[4], ARGV[5])))
if lost then return {3, gen, held, 0, now} end
if held == 0 then return {1, gen, 0, 0, now} end
redis.call('HSET', KEYS[1], 'node:' .. ARGV[6], '1')
local isComplete, missing = true, 0
for index = 7, #ARGV do
    if redis.call('HEXISTS', KEYS[1], 'node:' .. ARGV[index]) == 0 then
        isComplete = false
        if index < 7 + 52 then missing = missing + 2 ^ (index - 7) end
    end
end
if isComplete then
    forgetAnswers(KEYS[1])
    redis.call('HSET', KEYS[1], 'until', '0')
    held = 0
end
return {1, gen, held, missing, now}
