-- KEYS: an identity's sessions, of each when it was noted and until when. ARGV: an id, and for how long.
local key, id, lifetime = KEYS[1], unpack(ARGV)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function until_when(noted)
  return tonumber(noted and noted:match('^%d+ (%d+)$')) or 0
end

local ends = math.max(now + lifetime, until_when(redis.call('HGET', key, id)))
redis.call('HSET', key, id, string.format('%.0f %.0f', now, ends))

-- Each sign-in forgets up to ten of those that are over: the list does not grow for ever, and no sign-in takes long.
local some = redis.call('HRANDFIELD', key, 10, 'WITHVALUES')
for place = 1, #some, 2 do
  if until_when(some[place + 1]) <= now then
    redis.call('HDEL', key, some[place])
  end
end

-- As long as the longest of its entries.
if redis.call('PTTL', key) < ends - now then
  redis.call('PEXPIREAT', key, string.format('%.0f', ends))
end
return redis.status_reply('OK')
