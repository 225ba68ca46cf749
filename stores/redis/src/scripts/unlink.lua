-- KEYS: an identity's sessions, of each when it was noted and until when. ARGV: an id, and for how long it stays at least.
local key, id, grace = KEYS[1], unpack(ARGV)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local noted = tonumber((redis.call('HGET', key, id) or ''):match('^(%d+) %d+$')) or 0
if now - noted > tonumber(grace) then
  redis.call('HDEL', key, id)
end
return redis.status_reply('OK')
