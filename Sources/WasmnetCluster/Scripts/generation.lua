-- Returns the generation of a bucket, and begins one if there is none.
--
-- KEYS 1 generation, 2 epochs of the bucket
-- ARGV 1 clock, 2 known generation (0: none), 3 hold, 4 start of the caller's contact, 5 when this was sent
-- Returns generation, hold left, the time
local gen, held = generation(KEYS[1], KEYS[2], ARGV[2], tonumber(ARGV[3]), (contact(ARGV[4], ARGV[5])))
return {gen, held, now}
