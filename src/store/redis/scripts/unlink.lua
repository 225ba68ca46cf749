-- KEYS: an identity's ids, when each was noted and until when. ARGV: an id, and for how long it stays at least.
local ids, times = unpack(KEYS)
local id, grace = unpack(ARGV)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local noted = tonumber((redis.call('HGET', times, id) or ''):match('^(%d+) %d+$')) or 0
if now - noted > tonumber(grace) then
  redis.call('HDEL', times, id)
  redis.call('ZREM', ids, id)
end
return redis.status_reply('OK')
