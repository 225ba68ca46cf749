-- KEYS: an identity's sessions, a hash from each id to the time it was linked and the time it counts until.
-- ARGV: an id, and how long a link is kept in any case.
local key, id, grace = KEYS[1], unpack(ARGV)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- A young link may belong to a sign-in that has not written its record yet.
local linked = tonumber((redis.call('HGET', key, id) or ''):match('^(%d+) %d+$')) or 0
if now - linked > tonumber(grace) then
  redis.call('HDEL', key, id)
end
return redis.status_reply('OK')
