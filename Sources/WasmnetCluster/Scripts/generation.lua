-- Tells the generation of a bucket, and begins one where there is none.
--
-- KEYS 1 generation
-- ARGV 1 clock, 2 known generation (0: none), 3 hold
-- Returns generation, hold left
local gen, held = generation(KEYS[1], ARGV[2], tonumber(ARGV[3]))
return {gen, held}
